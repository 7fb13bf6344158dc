import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf, killEngine } from '../harness/engine.ts';
import { textOf } from '../harness/files.ts';
import { type Blow, blows, type Victim } from './choice.ts';
import { count, type LivePod, noteFailure, problem, type Soak } from './soak.ts';

/** How often a daemon is started before it counts as one that does not become ready. */
const STARTS = 5;

/** Restarts and kills during one minute, or until the soak is over. Each waits for the one before: a restart is not killed, its pods are. */
export async function strike(soak: Soak): Promise<void> {
  const fromMs = performance.now();
  for (const blow of blows(soak.random)) {
    while (!soak.over && performance.now() - fromMs < blow.atMs) await sleep(100);
    if (soak.over) return;
    await carryOut(soak, blow).catch((error: unknown) => problem(soak, `${JSON.stringify(blow)}: ${(error as Error).stack ?? String(error)}`));
  }
}

/** Starts the daemon when it has ended by itself, which is a problem. */
export async function revive(soak: Soak): Promise<void> {
  if (soak.daemonAway || soak.daemon.isRunning()) return;
  problem(soak, `the daemon has ended by itself; see ${soak.daemon.logPath}`);
  await away(soak, async () => {});
}

/** Does it, and waits until daemon and engine are there again. */
export async function carryOut(soak: Soak, blow: Blow): Promise<void> {
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

/** Ends the daemon by `end` and starts the next one. */
async function away(soak: Soak, end: () => Promise<void>): Promise<void> {
  soak.daemonAway = true;
  try {
    await end();
    await startAgain(soak, STARTS);
  } finally {
    soak.daemonAway = false;
  }
}

/** A daemon that ends instead of becoming ready is a problem, one that others on the machine make slow is not. */
async function startAgain(soak: Soak, left: number): Promise<void> {
  try {
    await soak.daemon.start();
  } catch (error) {
    noteFailure(soak, 'start of the daemon', error);
    if (left === 1 || /it ended with/.test(String(error))) problem(soak, `the daemon did not become ready: ${String(error)}`);
    if (left > 1) await startAgain(soak, left - 1);
  }
}

async function killShim(soak: Soak): Promise<boolean> {
  const pods = soak.homes.flatMap(({ stays, pod }) => (stays || pod === undefined || pod.shimKilled ? [] : [pod]));
  if (pods.length === 0) return false;
  const pod = soak.random.of(pods);
  const pid = await shimOf(soak, pod).catch(() => 0);
  // It may have ended since, with its pod.
  if (textOf(`/proc/${pid}/comm`) !== 'berth-shim\n') return false;
  pod.shimKilled = true;
  process.kill(pid, 'SIGKILL');
  return true;
}

async function shimOf({ daemon }: Soak, pod: LivePod): Promise<number> {
  const { info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}
