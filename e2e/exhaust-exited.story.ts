import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { connectCri, type Cri } from './harness/cri.ts';
import { PER_POD, writeExited } from './harness/exited.ts';
import { unreadCalls } from './harness/http2.ts';
import { meanwhile } from './harness/meanwhile.ts';
import { exitOf, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

/** How many exited containers there are; `BERTH_EXITED` for more. */
const count = Number(process.env['BERTH_EXITED'] ?? 5000);

/** What one of them takes of a list, bytes, and the largest answer. */
const BYTES_EACH = 792;
const MAX_REPLY_BYTES = 80 << 20;

/** Streams that nobody reads, and the most that each may keep: a batch and a copy of it, and room for a slow collection of garbage. */
const UNREAD = 100;
const MOST_UNREAD_MIB = 2;

const stage = story({
  keepPods: true,
  daemon: {
    prepare: ({ state }) => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2G,mode=0711', 'berth-e2e', state]);
      writeExited(state, count);
    },
  },
});

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Does `work` as `meanwhile` does, and tells what it took. */
async function timed<T>(t: ExecutionContext, what: string, work: () => Promise<T>): Promise<T> {
  const { daemon } = stage();
  const { result, ms, others } = await meanwhile(daemon, work);
  t.log(`${what}: ${ms.toFixed(0)} ms; ${others.calls} other calls, median ${others.medianMs.toFixed(1)} ms, longest ${others.longestMs.toFixed(0)} ms; daemon ${residentMiB(daemon.pid()).toFixed(0)} MiB`);
  return result;
}

async function streamedIds(cri: Cri): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { containers } of cri.stream('StreamContainers', {})) for (const { id } of containers) ids.add(id);
  return ids;
}

test.serial('thousands of exited containers are listed whole, by filter and as a stream, and others are answered meanwhile', async (t) => {
  const { cri } = stage().daemon;
  const fits = count * BYTES_EACH < MAX_REPLY_BYTES;
  for (const what of ['first list', 'second list']) {
    const listed = await timed(t, what, () => cri.call('ListContainers', {}).then(({ containers }) => containers.length, (error: ServiceError) => error));
    if (fits) t.is(listed, count);
    else t.like(listed, { code: status.RESOURCE_EXHAUSTED }, 'the list is larger than an answer may be');
  }
  const running = await timed(t, 'running ones', () => cri.call('ListContainers', { filter: { state: { state: 'CONTAINER_RUNNING' } } }));
  t.deepEqual(running.containers, []);
  const [pod] = (await cri.call('ListPodSandbox', {})).items;
  const ofPod = await timed(t, 'those of a pod', () => cri.call('ListContainers', { filter: { pod_sandbox_id: pod?.id } }));
  t.is(ofPod.containers.length, PER_POD);
  t.true(ofPod.containers.every((one) => one.pod_sandbox_id === pod?.id));
  const stats = await timed(t, 'statistics', () => cri.call('ListContainerStats', {}));
  t.deepEqual(stats.stats, []);
  t.is((await timed(t, 'stream', () => streamedIds(cri))).size, count);
});

test.serial('a client that takes less than a whole list fails alone, and its connection goes on', async (t) => {
  const client = connectCri(stage().daemon.socket, { maxReplyBytes: 1 << 20, ownConnection: true });
  t.teardown(client.close);
  const besides = Array.from({ length: 50 }, () => client.call('Version', {}));
  const error = await t.throwsAsync<ServiceError>(client.call('ListContainers', {}));
  t.is(error?.code, status.RESOURCE_EXHAUSTED);
  await t.notThrowsAsync(Promise.all([...besides, ...Array.from({ length: 50 }, () => client.call('Version', {}))]));
  t.is((await streamedIds(client)).size, count);
});

test.serial('streams that their client never reads cost little each, others are served, and they end with their client', async (t) => {
  const { daemon } = stage();
  await streamedIds(daemon.cri);
  const before = residentMiB(daemon.pid());
  const client = await unreadCalls(daemon.socket, 'StreamContainers', UNREAD);
  t.teardown(() => client.destroy());
  // One that is read meanwhile has all of its own, and more than once what the others were to get.
  for (let round = 0; round < 3; round++) t.is((await streamedIds(daemon.cri)).size, count);
  const grown = residentMiB(daemon.pid()) - before;
  t.log(`${UNREAD} streams that nobody reads: ${grown.toFixed(0)} MiB`);
  t.true(grown < UNREAD * MOST_UNREAD_MIB, `${grown} MiB`);
  const ended = (): number => readFileSync(daemon.logPath, 'utf8').split('\n').filter((line) => /StreamContainers failed: .* the caller went away/.test(line)).length;
  t.is(ended(), 0);
  client.destroy();
  await until(async () => ended() === UNREAD, 60_000, 'all of them to have ended');
});

test.serial('pods run beside them, also after a restart, and they are removed', async (t) => {
  const { daemon } = stage();
  await daemon.kill();
  const fromMs = performance.now();
  await daemon.start();
  t.log(`restart: ${(performance.now() - fromMs).toFixed(0)} ms, daemon ${residentMiB(daemon.pid()).toFixed(0)} MiB`);
  const pod = await runPod(daemon, 'beside');
  t.is((await exitOf(daemon, await runScript(daemon, pod, 'c', 'exit 4'))).exit_code, 4);
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id });
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  t.true(items.length > 0);
  // All of them would take the runtime minutes.
  const [first] = items;
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: first?.id });
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, items.length - 1);
});
