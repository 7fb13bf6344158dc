import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import type { ContainerStats, PodSandboxStats } from '../api/cri.ts';
import { cgroupParentBelow, containerConfig, createContainer, exec, exitOf, podConfig, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();
const MiB = 1 << 20;
const limited = { linux: { resources: { memory_limit_in_bytes: 64 * MiB, memory_swap_limit_in_bytes: 64 * MiB } } };
const number = (value: { value: string } | null | undefined): number => Number(value?.value ?? Number.NaN);

const statsOf = async (container_id: string): Promise<ContainerStats> =>
  (await stage().daemon.cri.call('ContainerStats', { container_id })).stats;
const podStatsOf = async (pod_sandbox_id: string): Promise<PodSandboxStats> =>
  (await stage().daemon.cri.call('PodSandboxStats', { pod_sandbox_id })).stats;

test('a busy container uses processors, an idle one hardly any, from the first answer on', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'busy');
  const busy = await runScript(daemon, pod, 'busy', 'while :; do :; done');
  const idle = await runScript(daemon, pod, 'idle', 'sleep 1000');
  await exec(daemon, busy, 'sleep 1');
  const both = async () => Promise.all([statsOf(busy), statsOf(idle)]);
  for (const [worker, sleeper] of [await both(), await exec(daemon, busy, 'sleep 1').then(both)]) {
    t.true(number(worker.cpu?.usage_nano_cores) > 5_000_000, `${worker.cpu?.usage_nano_cores?.value} nano cores of a loop`);
    t.true(number(sleeper.cpu?.usage_nano_cores) < number(worker.cpu?.usage_nano_cores) / 2);
    t.true(number(worker.cpu?.usage_core_nano_seconds) > number(sleeper.cpu?.usage_core_nano_seconds));
  }
});

test('what a container holds in memory is its working set and missing from what is available', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'eater');
  const container = await runScript(daemon, pod, 'c', 'dd if=/dev/zero of=/dev/shm/x bs=1M count=24 && sleep 1000', limited);
  await until(async () => number((await statsOf(container)).memory?.working_set_bytes) >= 24 * MiB, 60_000, 'the memory to be used');
  const { memory, swap } = await statsOf(container);
  t.true(number(memory?.working_set_bytes) < 40 * MiB);
  t.is(number(memory?.available_bytes) + number(memory?.working_set_bytes), 64 * MiB);
  t.true(number(memory?.usage_bytes) >= number(memory?.working_set_bytes));
  t.true(number(memory?.rss_bytes) > 0 && number(memory?.page_faults) > 0 && number(memory?.major_page_faults) >= 0);
  t.is(number(swap?.swap_usage_bytes), 0);
  t.is(number(swap?.swap_available_bytes), 0);
});

test('the writable layer is counted in bytes and inodes soon after it is asked for', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'writer');
  const script = 'mkdir /made; dd if=/dev/zero of=/made/file bs=1M count=3; sleep 1000';
  const container = await runScript(daemon, pod, 'c', script);
  await until(async () => (await exec(daemon, container, 'wc -c < /made/file')).stdout === `${3 * MiB}\n`, 60_000, 'the file');
  const counted = async () => (await statsOf(container)).writable_layer;
  await until(async () => (await counted()) != null, 60_000, 'the first count');
  const layer = await counted();
  t.true(number(layer?.used_bytes) >= 3 * MiB, `${layer?.used_bytes?.value} bytes`);
  t.true(number(layer?.inodes_used) >= 3);
  t.true(layer?.fs_id?.mountpoint.startsWith(daemon.root));
});

test('the traffic of a pod is counted by interface', async (t) => {
  const { daemon } = stage();
  const page = 'x'.repeat(200_000);
  const server = createServer((_, response) => void response.end(page));
  await new Promise<void>((resolve) => void server.listen(0, daemon.network.gateway, resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const pod = await runPod(daemon, 'traffic');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const before = (await podStatsOf(pod.id)).linux?.network?.default_interface;
  t.is(before?.name, 'eth0');
  await exec(daemon, container, `wget -q -O /dev/null http://${daemon.network.gateway}:${port}/`);
  const after = (await podStatsOf(pod.id)).linux?.network?.default_interface;
  t.true(number(after?.rx_bytes) - number(before?.rx_bytes) > page.length);
  t.true(number(after?.tx_bytes) > number(before?.tx_bytes));
  t.deepEqual([number(after?.rx_errors), number(after?.tx_errors)], [0, 0]);
});

test('a pod sums up its containers; each figure has its time; pressure is told where the kernel knows it', async (t) => {
  const { daemon } = stage();
  const own = { ...podConfig(daemon, 'sum'), linux: { cgroup_parent: cgroupParentBelow(daemon, 'sum') } };
  const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', { config: own });
  const shared = await runPod(daemon, 'shared');
  const pods = [{ id: pod_sandbox_id, config: own }, shared];
  for (const pod of pods) {
    const ids = await Promise.all(['a', 'b'].map((name) => runScript(daemon, pod, name, 'sleep 1000')));
    const { attributes, linux } = await podStatsOf(pod.id);
    t.is(attributes?.metadata?.uid, pod.config.metadata.uid);
    t.deepEqual(linux?.containers.map((one) => one.attributes?.id).sort(), ids.sort());
    const inside = (linux?.containers ?? []).map((one) => number(one.memory?.usage_bytes)).reduce((sum, one) => sum + one, 0);
    t.true(number(linux?.memory?.usage_bytes) >= inside && inside > 0);
    t.true(number(linux?.cpu?.usage_core_nano_seconds) > 0);
    t.true(number(linux?.process?.process_count) >= 2);
    const stamps = [linux?.cpu, linux?.memory, linux?.network, linux?.process, ...(linux?.containers ?? []).flatMap((one) => [one.cpu, one.memory, one.swap, one.writable_layer])];
    t.deepEqual(stamps.filter((stamp) => !(Number(stamp?.timestamp) > 1.7e18)), []);
  }
  const psi = (await podStatsOf(pod_sandbox_id)).linux?.cpu?.psi;
  if (existsSync('/sys/fs/cgroup/cgroup.controllers') && existsSync('/proc/pressure/cpu')) t.true(Number(psi?.Some?.Total) >= 0);
  else t.is(psi ?? null, null);
});

test('lists and streams show the running ones that all parts of a filter match', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'listed');
  const other = await runPod(daemon, 'other');
  const running = await runScript(daemon, pod, 'runs', 'sleep 1000', { labels: { tier: 'front' } });
  const elsewhere = await runScript(daemon, other, 'runs', 'sleep 1000', { labels: { tier: 'front' } });
  await createContainer(daemon, pod, containerConfig('waits', ['true']));
  const ended = await runScript(daemon, pod, 'ended', 'true');
  await exitOf(daemon, ended);
  const list = async (filter: object) =>
    (await daemon.cri.call('ListContainerStats', { filter })).stats.map((one) => one.attributes?.id).sort();
  t.deepEqual(await list({}), [running, elsewhere].sort());
  const entry = (await daemon.cri.call('ListContainerStats', { filter: { id: running } })).stats[0];
  t.deepEqual(entry?.attributes, (await statsOf(running)).attributes);
  t.like(entry?.attributes, { metadata: { name: 'runs', attempt: 0 }, labels: { tier: 'front' } });
  t.deepEqual(await list({ pod_sandbox_id: pod.id, label_selector: { tier: 'front' } }), [running]);
  t.deepEqual(await list({ id: running, label_selector: { tier: 'back' } }), []);
  const streamed: ContainerStats[] = [];
  for await (const batch of daemon.cri.stream('StreamContainerStats', {})) streamed.push(...batch.container_stats);
  t.deepEqual(streamed.map((one) => one.attributes?.id).sort(), [running, elsewhere].sort());

  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: other.id });
  const pods = (await daemon.cri.call('ListPodSandboxStats', {})).stats;
  t.deepEqual(pods.map((one) => one.attributes?.id), [pod.id]);
  t.deepEqual((await daemon.cri.call('ListPodSandboxStats', { filter: { label_selector: { app: 'other' } } })).stats, []);
  const batches: PodSandboxStats[] = [];
  for await (const batch of daemon.cri.stream('StreamPodSandboxStats', {})) batches.push(...batch.pod_sandbox_stats);
  t.deepEqual(batches.map((one) => one.attributes?.id), [pod.id]);
});

test('stats of an ended container and of unknown ones are refused', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'ended');
  const ended = await runScript(daemon, pod, 'c', 'true');
  await exitOf(daemon, ended);
  const refused = [
    [() => statsOf(ended), status.FAILED_PRECONDITION],
    [() => statsOf('f'.repeat(64)), status.NOT_FOUND],
    [() => podStatsOf('f'.repeat(64)), status.NOT_FOUND],
  ] as const;
  for (const [call, code] of refused) t.is((await t.throwsAsync(call()) as Error & { code?: number }).code, code);
});
