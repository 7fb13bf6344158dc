import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { containerConfig, createContainer, exec, exitOf, runPod, runScript, statusOf } from './harness/pod.ts';
import { textOf } from './harness/files.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();
const MiB = 1 << 20;
const resources = { cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512, memory_limit_in_bytes: 64 * MiB, memory_swap_limit_in_bytes: 64 * MiB };
const limited = { linux: { resources } };
/** Not every kernel can bind a cgroup to processors. */
const bound = existsSync('/sys/fs/cgroup/cpuset') || textOf('/sys/fs/cgroup/cgroup.controllers').includes('cpuset') ? { cpuset_cpus: '0' } : {};

/** Limits of a container as its cgroup has them (or the part that crun limits), by file name; those of version 1 and 2 that stand for the same. */
function limitsOf(id: string): Record<string, string> {
  const names = ['memory.limit_in_bytes', 'memory.max', 'memory.memsw.limit_in_bytes', 'cpu.cfs_quota_us', 'cpu.max', 'cpu.shares', 'cpu.weight', 'cpuset.cpus'];
  const files = names.flatMap((name) => globSync(`/sys/fs/cgroup/**/crio-${id}*/{,container/}${name}`));
  return Object.fromEntries(files.map((path) => [`${basename(dirname(dirname(dirname(path))))} ${basename(path)}`, readFileSync(path, 'utf8').trim()]));
}
const has = (id: string, ...values: string[]): boolean => values.every((value) => Object.values(limitsOf(id)).includes(value));
const update = (container_id: string, linux: object) => stage().daemon.cri.call('UpdateContainerResources', { container_id, linux });
const codeOf = async (call: Promise<unknown>): Promise<number | undefined> =>
  call.then(() => status.OK, (error: { code?: number }) => error.code);

for (const state of ['running', 'created']) {
  test(`limits of a ${state} container change, and the status reads them back with those that stay`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, `update-${state}`);
    const id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'], limited));
    if (state === 'running') await daemon.cri.call('StartContainer', { container_id: id });
    await update(id, { memory_limit_in_bytes: 96 * MiB, cpu_quota: 80_000, ...bound, oom_score_adj: 700 });
    const found = limitsOf(id);
    t.true(has(id, `${96 * MiB}`) && (has(id, '80000') || has(id, '80000 100000')) && has(id, ...Object.values(bound)), JSON.stringify(found));
    const linux = (await statusOf(daemon, id)).resources?.linux;
    t.like(linux, {
      memory_limit_in_bytes: `${96 * MiB}`, memory_swap_limit_in_bytes: `${96 * MiB}`, cpu_quota: '80000', cpu_period: '100000',
      cpu_shares: '512', ...bound, oom_score_adj: '700',
    });
    if (state === 'created') await daemon.cri.call('StartContainer', { container_id: id });
    t.is((await exec(daemon, id, 'cat /proc/1/oom_score_adj')).stdout, '700\n');
    t.true(has(id, `${96 * MiB}`));
  });
}

for (const [what, change] of [
  ['processors that do not exist', { cpu_quota: 70_000, memory_limit_in_bytes: 80 * MiB, cpuset_cpus: '4000' }],
  ['an impossible OOM score, which is set last', { cpu_quota: 70_000, memory_limit_in_bytes: 80 * MiB, oom_score_adj: 5000 }],
] as const) {
  test(`an update that fails over ${what} changes nothing`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, 'nothing');
    const id = await runScript(daemon, pod, 'c', 'sleep 1000', limited);
    const [before, told] = [limitsOf(id), (await statusOf(daemon, id)).resources];
    t.true(Object.keys(before).length > 2);
    await t.throwsAsync(update(id, change));
    t.deepEqual(limitsOf(id), before);
    t.deepEqual((await statusOf(daemon, id)).resources, told);
    await update(id, { cpu_quota: 70_000 });
    t.true(has(id, '70000') || has(id, '70000 100000'));
  });
}

test('a memory limit below what is in use is refused, and nobody is killed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'shrink');
  const id = await runScript(daemon, pod, 'c', 'dd if=/dev/zero of=/dev/shm/x bs=1M count=30 && echo full && sleep 1000', limited);
  await until(async () => (await exec(daemon, id, 'wc -c < /dev/shm/x')).stdout === `${30 * MiB}\n`, 60_000, 'the memory to be used');
  t.is(await codeOf(update(id, { memory_limit_in_bytes: 20 * MiB, memory_swap_limit_in_bytes: 20 * MiB })), status.FAILED_PRECONDITION);
  t.true(has(id, `${64 * MiB}`));
  t.is((await statusOf(daemon, id)).state, 'CONTAINER_RUNNING');
  await update(id, { memory_limit_in_bytes: 48 * MiB, memory_swap_limit_in_bytes: 48 * MiB });
  t.true(has(id, `${48 * MiB}`));
});

test('limits survive a daemon restart; those of an ended container cannot be changed; files of others cannot be named', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'kept');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000', limited);
  await update(id, { cpu_shares: 1024 });
  await daemon.kill();
  await daemon.start();
  t.is((await statusOf(daemon, id)).resources?.linux?.cpu_shares, '1024');
  t.is(await codeOf(update(id, { unified: { '../memory.max': '1' } })), status.INVALID_ARGUMENT);
  const ended = await runScript(daemon, pod, 'ended', 'true');
  await exitOf(daemon, ended);
  t.is(await codeOf(update(ended, { cpu_shares: 2 })), status.FAILED_PRECONDITION);
});

test('resources of a pod are kept as it was made and as they change, and shown; an unknown pod is NotFound', async (t) => {
  const { daemon } = stage();
  const made = { overhead: { cpu_shares: 1 }, resources: { memory_limit_in_bytes: 50 * MiB } };
  const pod = await runPod(daemon, 'resized', { linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: { pid: 1 } }, ...made } });
  const shown = async () => JSON.parse((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true })).info['info'] ?? '{}') as object;
  t.like(await shown(), { overhead: { cpu_shares: '1' }, resources: { memory_limit_in_bytes: `${50 * MiB}` } });
  const ask = { pod_sandbox_id: pod.id, overhead: { cpu_shares: 2 }, resources: { memory_limit_in_bytes: 100 * MiB } };
  await daemon.cri.call('UpdatePodSandboxResources', ask);
  await daemon.cri.call('UpdatePodSandboxResources', { pod_sandbox_id: pod.id, resources: { memory_limit_in_bytes: 200 * MiB } });
  t.like(await shown(), { overhead: { cpu_shares: '2' }, resources: { memory_limit_in_bytes: `${200 * MiB}` } });
  t.is((await daemon.cri.call('RunPodSandbox', { config: pod.config })).pod_sandbox_id, pod.id);
  t.is(await codeOf(daemon.cri.call('UpdatePodSandboxResources', { ...ask, pod_sandbox_id: 'f'.repeat(64) })), status.NOT_FOUND);
});
