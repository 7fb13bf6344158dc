import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { crictl } from './harness/crictl.ts';
import type { Daemon } from './harness/daemon.ts';
import { ownProcesses } from './harness/leaks.ts';
import { runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { openSocket, startCrictl } from './harness/streams.ts';

const stage = story();

/** `BERTH_E2E_SESSIONS=10000` for the long run. */
const sessions = Number(process.env['BERTH_E2E_SESSIONS'] ?? 300);
const atOnce = 8;

/** What the daemon, its engine and its shims hold: descriptors of each, and all processes of their pods. */
function held(daemon: Daemon): Record<string, number> {
  const processes = ownProcesses(daemon);
  const descriptors = (name: string): number =>
    processes
      .filter((each) => each.name === name)
      .reduce((sum, { pid }) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  return {
    processes: processes.length,
    daemon: descriptors('berthd'),
    engine: descriptors('berth-engine'),
    shims: descriptors('berth-shim'),
  };
}

function memoryMiB(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

const noMore = (now: Record<string, number>, before: Record<string, number>): boolean =>
  Object.entries(now).every(([what, count]) => count <= (before[what] ?? 0));

async function webSocketExec(daemon: Daemon, container_id: string, cmd: string[]): Promise<string> {
  const { url } = await daemon.cri.call('Exec', { container_id, cmd, stdin: true, stdout: true, stderr: true });
  const socket = await openSocket(url, 'v5.channel.k8s.io');
  await socket.closed;
  return socket.text(1);
}

/** One of many ways in which a session comes and goes; the answer is what the command said. */
async function session(daemon: Daemon, container: string, number: number): Promise<string> {
  const way = number % 20;
  if (way === 0) return (await crictl(daemon, 'exec', container, 'echo', 'done')).stdout;
  if (way === 1) {
    const { url } = await daemon.cri.call('Exec', { container_id: container, cmd: ['sleep', '1000'], stdout: true });
    const socket = await openSocket(url, 'v4.channel.k8s.io');
    socket.close();
    await socket.closed;
    return 'done\n';
  }
  if (way === 2) {
    // Asked for and never used, or cut off in the middle of its request.
    const { url } = await daemon.cri.call('Attach', { container_id: container, stdout: true });
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n`);
    await sleep(5);
    socket.destroy();
    return 'done\n';
  }
  return await webSocketExec(daemon, container, ['echo', 'done']);
}

test(`${sessions} sessions leave no handle, process or memory behind`, async (t) => {
  t.timeout(3_600_000);
  const { daemon } = stage();
  const container = await runScript(daemon, await runPod(daemon, 'sessions'), 'c', 'sleep 100000');
  const run = async (count: number): Promise<void> => {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) t.is(await session(daemon, container, next++), 'done\n');
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  };
  await run(100);
  await sleep(2000);
  const before = held(daemon);
  const [daemonMiB, shimMiB] = [memoryMiB(daemon.pid()), memoryMiB(shimPid(daemon))];
  await run(sessions);
  await until(() => noMore(held(daemon), before), 20_000, 'all to be closed').catch(() => undefined);
  t.true(noMore(held(daemon), before), `${JSON.stringify(before)}, then ${JSON.stringify(held(daemon))}`);
  t.true(memoryMiB(daemon.pid()) - daemonMiB < 24, `berthd: ${daemonMiB} MiB, then ${memoryMiB(daemon.pid())}`);
  t.true(memoryMiB(shimPid(daemon)) - shimMiB < 0.5, `shim: ${shimMiB} MiB, then ${memoryMiB(shimPid(daemon))}`);
});

test('sessions end with the daemon, and what they ran ends too', async (t) => {
  const { daemon } = stage();
  const container = await runScript(daemon, await runPod(daemon, 'restart'), 'c', 'sleep 100000');
  const clients = ['spdy', 'websocket'].map((transport) =>
    startCrictl(daemon, 'exec', '-i', '-r', transport, container, 'sh', '-c', 'echo up; exec sleep 98765'),
  );
  await until(() => clients.every((client) => client.stdout() === 'up\n'), 10_000, 'both to run');
  await daemon.stop();
  for (const client of clients) {
    t.not(await client.ended, 0);
    t.regex(client.stderr(), /the runtime ends/);
  }
  await until(() => !spawnSync('pgrep', ['-f', 'sleep 98765']).stdout.length, 5000, 'the commands to be killed');
  await daemon.start();
  t.is((await crictl(daemon, 'exec', container, 'echo', 'again')).stdout, 'again\n');
});

function shimPid(daemon: Daemon): number {
  return ownProcesses(daemon).find(({ name }) => name === 'berth-shim')?.pid ?? 0;
}
