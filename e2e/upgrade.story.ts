import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { encodeFrame, frameReader } from '../api/frame.ts';
import type { Daemon } from './harness/daemon.ts';
import { isCurrent, twoBuilds, upgradeShim } from './harness/builds.ts';
import { textOf } from './harness/files.ts';
import { containerConfig, exec, logOf, type Pod, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { openSocket } from './harness/streams.ts';

const builds = twoBuilds();
const stage = story({ daemon: builds.options });

/** How many upgrades, back and forth, below how many pods; `npm run upgrades` makes more of both. */
const upgrades = Number(process.env['BERTH_UPGRADES'] ?? 4);
const podCount = Number(process.env['BERTH_UPGRADE_PODS'] ?? 3);

/** The daemon is restarted with each so many upgrades; for the others it stays, with all its sessions. */
const RESTART_EVERY = 4;

test(`${upgrades} upgrades back and forth below ${podCount} pods: no restart, no session, no line and no exit is lost`, async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all(Array.from({ length: podCount }, async (_, i) => await busyPod(daemon, `busy-${i}`)));
  let sessions = await Promise.all(pods.map((pod) => openSessions(daemon, pod)));
  const before = await Promise.all(pods.map(({ container }) => statusOf(daemon, container)));
  const memory = sharesKiB(pods);
  for (let round = 1; round <= upgrades; round++) {
    builds.swap();
    if (round % RESTART_EVERY === 0) {
      await (round % (2 * RESTART_EVERY) === 0 ? daemon.kill() : daemon.stop());
      await daemon.start();
      sessions = await Promise.all(pods.map((pod) => openSessions(daemon, pod)));
      await until(() => pods.every(({ shim }) => isCurrent(shim, builds)), 120_000, 'the daemon to upgrade its shims');
    } else {
      await Promise.all(pods.map(({ pod }) => upgradeShim(daemon, pod, builds)));
    }
    t.true(pods.every(({ shim }) => isCurrent(shim, builds)), `upgrade ${round}`);
    await Promise.all(sessions.map((each) => each.use(`round-${round}`)));
  }
  t.log(`memory of ${podCount} shims together: ${memory} KiB, then ${sharesKiB(pods)} KiB`);
  t.deepEqual(await Promise.all(pods.map(({ container }) => statusOf(daemon, container))), before);
  await Promise.all(sessions.map((each) => each.end()));
  for (const { pod, container } of pods) {
    await daemon.cri.call('StopContainer', { container_id: container, timeout: 60 });
    t.is((await statusOf(daemon, container)).exit_code, 9);
    const lines = linesOf(pod);
    t.deepEqual(lines, [...lines.keys()].map((number) => (number < lines.length - 1 ? `line ${number}` : `last ${number}`)));
  }
  t.notRegex(textOf(daemon.logPath), /shim cannot be upgraded|shim of a sandbox is gone/);
});

test('a pod whose shim speaks another protocol is shown, refused with what to do, and left as it is', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'foreign');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const before = await statusOf(daemon, container_id);
  await daemon.stop();
  const future = await shimOfTheFuture(daemon, pod.id);
  await daemon.start();

  t.deepEqual(await statusOf(daemon, container_id), before);
  t.is((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status.state, 'SANDBOX_READY');
  t.is(await shimState(daemon, pod.id), 'foreign');
  const create = { pod_sandbox_id: pod.id, config: containerConfig('d', ['true']), sandbox_config: pod.config };
  const refused = [
    () => daemon.cri.call('ExecSync', { container_id, cmd: ['true'], timeout: 10 }),
    () => daemon.cri.call('CreateContainer', create),
    () => daemon.cri.call('UpdateContainerResources', { container_id, linux: { cpu_shares: 100 } }),
    () => daemon.cri.call('StopContainer', { container_id, timeout: 0 }),
    () => daemon.cri.call('RemoveContainer', { container_id }),
    () => daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id }),
    () => daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id }),
  ];
  for (const call of refused) {
    await t.throwsAsync(call(), { message: /FAILED_PRECONDITION.*speaks 7 to 9.*start a release of berthd that speaks with it/ });
  }
  t.deepEqual(await statusOf(daemon, container_id), before);

  await future.end();
  await until(async () => (await shimState(daemon, pod.id)) === 'serving', 60_000, 'the shim to be met');
  t.is((await exec(daemon, container_id, 'echo met')).stdout, 'met\n');
  t.deepEqual(await statusOf(daemon, container_id), before);
});

test('a berthd that is killed while its shims upgrade leaves them whole, and the next one goes on', async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all(Array.from({ length: podCount }, async (_, i) => await busyPod(daemon, `cut-${i}`)));
  const before = await Promise.all(pods.map(({ container }) => statusOf(daemon, container)));
  for (let round = 0; round < 3; round++) {
    await daemon.kill();
    builds.swap();
    await daemon.start();
  }
  await until(() => pods.every(({ shim }) => isCurrent(shim, builds)), 120_000, 'the daemon to upgrade its shims');
  t.deepEqual(await Promise.all(pods.map(({ container }) => statusOf(daemon, container))), before);
  for (const { container } of pods) t.is((await exec(daemon, container, 'echo whole')).stdout, 'whole\n');
});

type BusyPod = { readonly pod: Pod; readonly container: string; readonly shim: number };

/** A pod that logs in halves of lines, echoes on port 8080, and ends with 9 when it is told to. */
async function busyPod(daemon: Daemon, name: string): Promise<BusyPod> {
  const pod = await runPod(daemon, name);
  const script = `nc -ll -p 8080 -e cat & trap 'told=1' TERM; i=0
    while [ -z "$told" ]; do printf 'line '; echo $i; i=$((i + 1)); sleep 0.1; done; echo last $i; exit 9`;
  const container = await runScript(daemon, pod, 'c', script);
  const { info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  return { pod, container, shim: (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid };
}

type Sessions = {
  /** Says the word in each session, and waits until each has said it back. */
  readonly use: (word: string) => Promise<void>;
  /** Ends all, and checks how. */
  readonly end: () => Promise<void>;
};

/** An exec, one with a terminal, and a forwarded port of a pod, each of which says back what it is told. */
async function openSessions(daemon: Daemon, { pod, container: container_id }: BusyPod): Promise<Sessions> {
  const streams = { container_id, stdin: true, stdout: true };
  const plain = await daemon.cri.call('Exec', { ...streams, cmd: ['cat'], stderr: true });
  const terminal = await daemon.cri.call('Exec', { ...streams, cmd: ['sh', '-c', 'stty -echo; echo ready; cat'], tty: true });
  const forward = await daemon.cri.call('PortForward', { pod_sandbox_id: pod.id, port: [8080] });
  const sockets = [
    { socket: await openSocket(plain.url, 'v5.channel.k8s.io'), stdin: 0, stdout: 1 },
    { socket: await openSocket(terminal.url, 'v5.channel.k8s.io'), stdin: 0, stdout: 1 },
    { socket: await openSocket(forward.url, 'v4.channel.k8s.io'), stdin: 0, stdout: 0 },
  ];
  const [first, second] = sockets;
  await until(() => second?.socket.text(1).includes('ready') === true, 60_000, 'the terminal to be ready');
  return {
    use: async (word) => {
      for (const { socket, stdin } of sockets) socket.send(stdin, `${word}\n`);
      const said = () => sockets.every(({ socket, stdout }) => /\r?\n$/.test(socket.text(stdout)) && socket.text(stdout).includes(word));
      await until(said, 60_000, `all sessions to say ${word}`);
    },
    end: async () => {
      first?.socket.end(0);
      await first?.socket.closed;
      if (!/"Success"/.test(first?.socket.text(3) ?? '')) throw new Error(`an exec ended with ${first?.socket.text(3)}`);
      for (const { socket } of sockets) socket.close();
    },
  };
}

/** The lines of its log; one that was waited for too long comes in parts. */
function linesOf(pod: Pod): string[] {
  const text = logOf(pod, 'c').map((record) => (record.tag === 'F' ? `${record.text}\n` : record.text));
  return text.join('').split('\n').slice(0, -1);
}

/** The proportional set sizes of the pods' shims together. */
function sharesKiB(pods: readonly BusyPod[]): number {
  const share = (pid: number): number => Number(/^Pss:\s*(\d+)/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1]);
  return pods.reduce((sum, { shim }) => sum + share(shim), 0);
}

async function shimState(daemon: Daemon, pod_sandbox_id: string): Promise<string> {
  const { info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { shim: string }).shim;
}

/** Stands before a pod's shim and answers as one that speaks none of today's protocols; `end` leaves the shim to itself again. */
async function shimOfTheFuture(daemon: Daemon, podId: string): Promise<{ end(): Promise<void> }> {
  const path = join(daemon.state, 's', podId.slice(0, 16));
  const kept = join(daemon.state, 'kept.sock');
  renameSync(path, kept);
  const error = { kind: 'unsupported', message: 'protocols 1 to 2: this shim, of release 9.0.0, speaks 7 to 9' };
  const server: Server = createServer((connection) => {
    const reader = frameReader();
    connection.on('error', () => undefined);
    connection.on('data', (chunk: Buffer) => {
      for (const message of reader.feed(chunk)) connection.write(encodeFrame({ id: (message as { id: number }).id, error }));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    end: async () => {
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
      renameSync(kept, path);
    },
  };
}
