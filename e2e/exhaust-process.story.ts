import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { childrenOf } from './harness/engine.ts';
import { fillInodes } from './harness/fill.ts';
import { containerConfig, createContainer, exec, exitOf, type Pod, podConfig, removePod, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

/** The root directory lies on a small tmpfs of its own. */
const stage = story({
  daemon: { prepare: ({ root }) => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256M,nr_inodes=20000', 'berth-e2e', root]) },
});

async function refused(t: ExecutionContext, call: Promise<unknown>, said: RegExp): Promise<void> {
  const error = await t.throwsAsync<ServiceError>(call);
  t.is(error?.code, status.RESOURCE_EXHAUSTED, error?.details);
  t.regex(error?.details ?? '', said);
}

const prlimit = (pid: number, limit: string): unknown => spawnSync('prlimit', ['--pid', `${pid}`, limit]);
const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const enginePid = (): number => childrenOf(stage().daemon.pid(), 'berth-engine')[0] ?? -1;

async function shimPid(pod: Pod): Promise<number> {
  const { info } = await stage().daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}

/** Everything works, from a pod to its removal. */
async function allIsWell(t: ExecutionContext): Promise<void> {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'well');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  t.is((await exec(daemon, id, 'echo well')).stdout, 'well\n');
  await removePod(daemon, pod.id);
}

test('with no inode left in the root directory new containers are refused, those there go on, and there is room again later', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const filling = fillInodes(daemon.root);
  try {
    await refused(t, createContainer(daemon, pod, containerConfig('refused', ['true'])), /No space left on device/);
    t.is((await exec(daemon, id, 'echo on')).stdout, 'on\n');
    await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
    t.is((await exitOf(daemon, id)).exit_code, 137);
    await removePod(daemon, pod.id);
  } finally {
    filling.free();
  }
  await allIsWell(t);
});

test('an engine without a descriptor left refuses what needs one, and does it when there are some again', async (t) => {
  const pid = enginePid();
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  prlimit(pid, `--nofile=${descriptors(pid)}:`);
  await refused(t, createContainer(daemon, pod, containerConfig('refused', ['true'])), /Too many open files/);
  prlimit(pid, '--nofile=4096:');
  t.is(enginePid(), pid);
  await allIsWell(t);
});

test('an engine whose memory is taken away is replaced: a call fails as such at most, its retry works, and what ran goes on', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const pid = enginePid();
  prlimit(pid, '--as=1:');
  const config = podConfig(daemon, 'meanwhile');
  const run = () => daemon.cri.call('RunPodSandbox', { config });
  // What the old engine was not asked for any more is done by the new one; one that cannot read the call has ended of it.
  const failed = await run().then(() => undefined, (error: ServiceError) => error);
  t.true([undefined, status.RESOURCE_EXHAUSTED, status.UNAVAILABLE].includes(failed?.code), failed?.details);
  await run();
  t.not(enginePid(), pid);
  t.is((await exec(daemon, id, 'echo on')).stdout, 'on\n');
  await allIsWell(t);
});

test('a shim without a descriptor left refuses execs and tells the exit of its container', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const pid = await shimPid(pod);
  prlimit(pid, `--nofile=${descriptors(pid) + 1}:`);
  await refused(t, exec(daemon, id, 'true'), /Too many open files|no descriptor/);
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
  t.is((await exitOf(daemon, id)).exit_code, 137);
  prlimit(pid, '--nofile=4096:');
  const again = await runScript(daemon, pod, 'again', 'sleep 1000');
  t.is((await exec(daemon, again, 'echo well')).stdout, 'well\n');
});

test('a shim without memory refuses execs; it, or the rule of lost shims, tells the exit of its container, and container and pod can be removed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const pid = await shimPid(pod);
  prlimit(pid, '--as=1:');
  await refused(t, exec(daemon, id, 'true'), /Cannot allocate memory/);
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
  // Unknown where the shim has ended of it.
  t.true([137, 255].includes((await exitOf(daemon, id)).exit_code));
  await daemon.cri.call('RemoveContainer', { container_id: id });
  t.deepEqual((await daemon.cri.call('ListContainers', { filter: { id } })).containers, []);
  await removePod(daemon, pod.id);
  await allIsWell(t);
});
