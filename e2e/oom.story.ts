import { globSync, readFileSync } from 'node:fs';
import test from 'ava';
import { exec, exitOf, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();
const limitBytes = 48 << 20;
const limited = {
  linux: { resources: { memory_limit_in_bytes: limitBytes, cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512 } },
};

test('a container that needs more than its memory limit exits with 137 and the reason OOMKilled', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'oom');
  const status = await exitOf(daemon, await runScript(daemon, pod, 'c', 'exec tail /dev/zero', limited), 30_000);
  t.is(status.exit_code, 137);
  t.is(status.reason, 'OOMKilled');
});

test('limits stand in the cgroup of the container, below the cgroup parent of the pod', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'limits');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000', limited);
  const named = ['memory.limit_in_bytes', 'memory.max'].flatMap((name) =>
    globSync(`/sys/fs/cgroup/**/crio-${container}*/{,container/}${name}`),
  );
  t.true(named.length > 0, 'no memory cgroup carries the name of the container');
  t.true(named.every((path) => path.includes(daemon.cgroupParent)));
  t.true(named.some((path) => Number(readFileSync(path, 'utf8')) === limitBytes));
});

test('stats tell the memory and CPU of a running container', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'stats');
  const container_id = await runScript(
    daemon,
    pod,
    'c',
    'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; sleep 1000',
    limited,
  );
  await exec(daemon, container_id, 'sleep 1');
  const { stats } = await daemon.cri.call('ContainerStats', { container_id });
  t.true(BigInt(stats.memory?.working_set_bytes?.value ?? 0) > 0n);
  t.true(BigInt(stats.cpu?.usage_core_nano_seconds?.value ?? 0) > 0n);
  const listed = (await daemon.cri.call('ListContainerStats', {})).stats.map((each) => each.attributes?.id);
  t.deepEqual(listed, [container_id]);
});
