import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf, killEngine } from '../harness/engine.ts';
import { type Blow, blows, type Victim } from './choice.ts';
import { count, problem, type Soak } from './soak.ts';

/** Restarts and kills during one minute. Each waits for the one before: a restart is not killed, its pods are. */
export async function strike(soak: Soak): Promise<void> {
  const fromMs = performance.now();
  for (const blow of blows(soak.random)) {
    await sleep(Math.max(0, blow.atMs - (performance.now() - fromMs)));
    await carryOut(soak, blow).catch((error: unknown) => problem(soak, `${JSON.stringify(blow)}: ${(error as Error).stack ?? String(error)}`));
  }
}

/** Starts the daemon when it has ended by itself, which is a problem. */
export async function revive(soak: Soak): Promise<void> {
  if (soak.daemonAway || soak.daemon.isRunning()) return;
  problem(soak, `the daemon has ended by itself; see ${soak.daemon.logPath}`);
  await away(soak, async () => {});
}

async function carryOut(soak: Soak, blow: Blow): Promise<void> {
  if (blow.act === 'kill') return await kill(soak, blow.victim, blow);
  if (blow.act === 'restart daemon') await away(soak, soak.daemon.stop);
  else await killEngine(soak.daemon);
  count(soak, 'restarts');
}

async function kill(soak: Soak, victim: Victim, blow: Blow): Promise<void> {
  switch (victim) {
    case 'daemon':
      await away(soak, soak.daemon.kill);
      break;
    case 'both':
      await away(soak, async () => {
        for (const pid of childrenOf(soak.daemon.pid(), 'berth-engine')) process.kill(pid, 'SIGKILL');
        await soak.daemon.kill();
      });
      break;
    case 'engine':
      await killEngine(soak.daemon);
      break;
    case 'shim':
      if (!(await killShim(soak))) return;
      break;
    case 'runtime':
    case 'plugin':
      // Counted when it has happened.
      if ('run' in blow) soak.frail.order(blow.run, blow.afterMs);
      return;
  }
  count(soak, `killed ${victim}`);
}

/** Ends the daemon by `end` and starts the next one; a start that a loaded machine makes slow is tried again. */
async function away(soak: Soak, end: () => Promise<void>): Promise<void> {
  soak.daemonAway = true;
  try {
    await end();
    await soak.daemon.start().catch(async (error: unknown) => {
      problem(soak, `the daemon did not become ready: ${String(error)}`);
      await soak.daemon.start();
    });
  } finally {
    soak.daemonAway = false;
  }
}

async function killShim(soak: Soak): Promise<boolean> {
  const pods = soak.homes.flatMap(({ stays, pod }) => (stays || pod === undefined || pod.shimKilled ? [] : [pod]));
  if (pods.length === 0) return false;
  const pod = soak.random.of(pods);
  const { info } = await soak.daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  pod.shimKilled = true;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since, with its pod.
  }
  return true;
}
