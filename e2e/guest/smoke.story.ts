import { existsSync } from 'node:fs';
import test from 'ava';
import { exitOf, runPod, runScript, statusOf } from '../harness/pod.ts';
import { story } from '../harness/story.ts';
import { cgroupOf, containerCgroup, pidOf, read } from './cgroup.ts';

const stage = story();
const limits = {
  linux: {
    resources: { memory_limit_in_bytes: 48 << 20, cpu_period: 100_000, cpu_quota: 50_000, cpu_shares: 512 },
  },
};

test('a start leaves no cgroup: what its trial of the OCI runtime was in was there before', (t) => {
  t.true(stage().daemon.isRunning());
  t.false(['berth', 'berth.slice'].some((name) => existsSync(`/sys/fs/cgroup/${name}`)));
});

test('a pod with limits: they stand in its cgroup, stats are read there, it is stopped whole', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'limits');
  const id = await runScript(daemon, pod, 'c', 'trap "exit 3" TERM; sleep 1000 & while :; do wait; done', limits);
  const cgroup = await containerCgroup(daemon, id);
  t.true(cgroup.includes(`${daemon.cgroupParent}/`), cgroup);
  // crun divides the scope of systemd and limits the part that the container is in.
  const limited = cgroupOf(await pidOf(daemon, id));
  t.is(read(limited, 'memory.max'), String(48 << 20));
  t.is(read(limited, 'cpu.max'), '50000 100000');
  t.false(cgroupOf(daemon.pid()).startsWith(cgroup));

  const { stats } = await daemon.cri.call('ContainerStats', { container_id: id });
  t.true(BigInt(stats.memory?.working_set_bytes?.value ?? 0) > 0n);
  t.true(BigInt(stats.cpu?.usage_core_nano_seconds?.value ?? 0) > 0n);

  await daemon.cri.call('StopContainer', { container_id: id, timeout: 20 });
  t.is((await statusOf(daemon, id)).exit_code, 3);
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.true(!existsSync(cgroup) || read(cgroup, 'cgroup.events').includes('populated 0'));
});

test('a container that needs more than its memory limit exits with 137 and the reason OOMKilled', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'oom');
  const status = await exitOf(daemon, await runScript(daemon, pod, 'c', 'exec tail /dev/zero', limits), 30_000);
  t.is(status.exit_code, 137);
  t.is(status.reason, 'OOMKilled');
});
