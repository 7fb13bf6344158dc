import test from 'ava';
import type { Metric, PodSandboxMetrics } from '../api/cri.ts';
import { exec, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();
const MiB = 1 << 20;
const limited = {
  linux: {
    resources: {
      cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512,
      memory_limit_in_bytes: 64 * MiB, memory_swap_limit_in_bytes: 128 * MiB,
    },
  },
};

/** Every name of the contract (critest), and those of them that a runtime may lack or that need a block device. */
const contract = [
  ...['usage', 'user', 'system'].map((name) => `cpu_${name}_seconds_total`),
  'cpu_cfs_periods_total', 'cpu_cfs_throttled_periods_total', 'cpu_cfs_throttled_seconds_total',
  ...['cache', 'rss', 'swap', 'kernel_usage', 'mapped_file', 'failcnt', 'usage_bytes', 'max_usage_bytes', 'working_set_bytes', 'failures_total'].map((name) => `memory_${name}`),
  ...['receive', 'transmit'].flatMap((way) => ['bytes', 'packets', 'packets_dropped', 'errors'].map((name) => `network_${way}_${name}_total`)),
  ...['inodes_free', 'inodes_total', 'limit_bytes', 'usage_bytes'].map((name) => `fs_${name}`),
  'processes', 'threads', 'threads_max', 'file_descriptors', 'sockets',
  'spec_cpu_period', 'spec_cpu_shares', 'spec_memory_limit_bytes', 'spec_memory_swap_limit_bytes',
  'start_time_seconds', 'last_seen', 'oom_events_total',
].map((name) => `container_${name}`);
const optional = [
  'fs_reads_bytes_total', 'fs_reads_total', 'fs_writes_bytes_total', 'fs_writes_total', 'blkio_device_usage_total',
  'hugetlb_usage_bytes', 'hugetlb_max_usage_bytes', 'spec_cpu_quota', 'spec_memory_reservation_limit_bytes', 'ulimits_soft',
  ...['cpu', 'memory', 'io'].flatMap((what) => ['waiting', 'stalled'].map((word) => `pressure_${what}_${word}_seconds_total`)),
].map((name) => `container_${name}`);

const valuesOf = (pod: PodSandboxMetrics): Metric[] => [...pod.metrics, ...pod.container_metrics.flatMap((one) => one.metrics)];

test('every metric of the contract is described and has values, with as many labels as described', async (t) => {
  const { daemon } = stage();
  t.is(contract.length + optional.length, 56);
  const { descriptors } = await daemon.cri.call('ListMetricDescriptors', {});
  const names = descriptors.map((one) => one.name);
  t.deepEqual(contract.filter((name) => !names.includes(name)), [], 'not described');
  t.deepEqual(names.filter((name) => !contract.includes(name) && !optional.includes(name)), [], 'not in the contract');
  t.is(new Set(names).size, names.length);
  t.true(descriptors.every((one) => one.help !== '' && one.label_keys.length > 0));

  const pod = await runPod(daemon, 'measured');
  const container = await runScript(daemon, pod, 'c', 'dd if=/dev/zero of=/file bs=1M count=2; exec sleep 1000', limited);
  await exec(daemon, container, 'until grep -q sleep /proc/1/comm; do sleep 0.1; done');
  let pod_metrics: PodSandboxMetrics[] = [];
  // What the writable layer takes is known once it has been counted.
  const isCounted = async (): Promise<boolean> => {
    ({ pod_metrics } = await daemon.cri.call('ListPodSandboxMetrics', {}));
    return pod_metrics.flatMap(valuesOf).some((one) => one.name === 'container_fs_usage_bytes');
  };
  await until(isCounted, 60_000, 'the size of the writable layer');
  t.deepEqual(pod_metrics.map((one) => one.pod_sandbox_id), [pod.id]);
  const values = pod_metrics.flatMap(valuesOf);
  const keys = new Map(descriptors.map((one) => [one.name, one.label_keys]));
  t.deepEqual(values.filter((one) => one.label_values.length !== keys.get(one.name)?.length), [], 'labels that are not as described');
  t.deepEqual(contract.filter((name) => !values.some((one) => one.name === name)), [], 'without a value');
  t.true(values.some((one) => one.name === 'container_spec_cpu_quota' && one.value?.value === '50000'));

  const value = (name: string, ...labels: string[]) =>
    Number(values.find((one) => one.name === `container_${name}` && labels.every((label) => one.label_values.includes(label)))?.value?.value);
  t.is(value('spec_memory_limit_bytes'), 64 * MiB);
  t.is(value('spec_cpu_period'), 100_000);
  t.is(value('processes'), 1);
  t.is(value('threads'), 1);
  t.true(value('file_descriptors') >= 3);
  t.true(value('fs_usage_bytes') >= 2 * MiB && value('fs_limit_bytes') > value('fs_usage_bytes'));
  t.true(value('memory_working_set_bytes') <= value('memory_usage_bytes'));
  t.true(value('memory_usage_bytes') <= value('memory_max_usage_bytes'));
  t.true(value('memory_failures_total', 'pgfault', 'hierarchy') > 0);
  t.true(value('network_receive_bytes_total', 'POD', 'eth0') >= 0);
  t.true(Math.abs(value('start_time_seconds') - Date.now() / 1000) < 60);
  const labels = values.find((one) => one.name === 'container_last_seen')?.label_values ?? [];
  for (const label of ['c', container, 'measured', 'e2e']) t.true(labels.includes(label), label);
});

test('the stream gives every pod once, and the descriptors do not change', async (t) => {
  const { daemon } = stage();
  const before = await daemon.cri.call('ListMetricDescriptors', {});
  const pods = await Promise.all([1, 2, 3].map((number) => runPod(daemon, `streamed-${number}`)));
  const streamed: PodSandboxMetrics[] = [];
  for await (const batch of daemon.cri.stream('StreamPodSandboxMetrics', {})) streamed.push(...batch.pod_sandbox_metrics);
  t.deepEqual(streamed.map((one) => one.pod_sandbox_id).sort(), pods.map((pod) => pod.id).sort());
  t.deepEqual(await daemon.cri.call('ListMetricDescriptors', {}), before);
});
