import { status } from '@grpc/grpc-js';
import test from 'ava';
import { containerConfig, createContainer, exec, exitOf, runPod, runScript, statusOf } from '../harness/pod.ts';
import { story } from '../harness/story.ts';
import { cgroupOf, pidOf, read, systemd } from './cgroup.ts';
import { properties, systemctl } from './unit.ts';

const stage = story();
const mib = 1 << 20;
const asked = {
  memory_limit_in_bytes: 64 * mib,
  memory_swap_limit_in_bytes: 64 * mib,
  cpu_period: 100_000,
  cpu_quota: 50_000,
  cpu_shares: 512,
  unified: { 'memory.high': String(60 * mib), 'pids.max': '77', 'memory.oom.group': '1' },
};
const limited = (resources: object) => ({ linux: { resources } });
const files = ['memory.max', 'memory.high', 'memory.oom.group', 'cpu.max', 'cpu.weight', 'pids.max'];
/** What a scope of systemd before version 253 has no property for, so that it is lost when systemd writes the limits. */
const withoutProperty = 'memory.oom.group';
const limitsIn = (cgroup: string) => Object.fromEntries(files.map((file) => [file, read(cgroup, file)]));
/** cgroup v2's weight of 512 shares: 1 + (512 - 2) * 9999 / 262142, which newer runtimes give as another curve. */
const weights = ['20', '59'];

test('every limit stands in cgroup version 2, and a reload of the service manager keeps them', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'limits');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000', limited(asked));
  const cgroup = cgroupOf(await pidOf(daemon, id));
  const before = limitsIn(cgroup);
  t.like(before, {
    'memory.max': String(64 * mib),
    'memory.high': String(60 * mib),
    'memory.oom.group': '1',
    'cpu.max': '50000 100000',
    'pids.max': '77',
  });
  t.true(weights.includes(before['cpu.weight'] ?? ''), before['cpu.weight']);
  systemctl('daemon-reload');
  const kept = systemd ? { ...before, [withoutProperty]: read(cgroup, withoutProperty) } : before;
  t.deepEqual(limitsIn(cgroup), kept);
  systemctl('daemon-reexec');
  t.deepEqual(limitsIn(cgroup), kept);
});

test('limits that are updated stand in the cgroup, are read back, and outlast a reload', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'update');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000', limited(asked));
  const cgroup = cgroupOf(await pidOf(daemon, container_id));
  const both = { memory_limit_in_bytes: 96 * mib, memory_swap_limit_in_bytes: 96 * mib };
  const linux = { ...both, cpu_quota: 25_000, cpu_period: 100_000 };
  await daemon.cri.call('UpdateContainerResources', { container_id, linux });
  const expected = { 'memory.max': String(96 * mib), 'cpu.max': '25000 100000' };
  t.like(limitsIn(cgroup), { ...expected, 'pids.max': '77', [withoutProperty]: '1' });
  systemctl('daemon-reload');
  t.like(limitsIn(cgroup), { ...expected, 'pids.max': '77' });
  t.like((await statusOf(daemon, container_id)).resources?.linux, {
    memory_limit_in_bytes: String(96 * mib),
    cpu_quota: '25000',
    cpu_shares: '512',
  });
});

test('processors are refused, and nothing changed, where the kernel cannot bind a cgroup to them', async (t) => {
  t.false(read('/sys/fs/cgroup', 'cgroup.controllers').includes('cpuset'));
  const { daemon } = stage();
  const pod = await runPod(daemon, 'bound');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000', limited(asked));
  const cgroup = cgroupOf(await pidOf(daemon, container_id));
  const before = limitsIn(cgroup);
  const refused = { code: status.INVALID_ARGUMENT, message: /no cpuset controller/ };
  const linux = { cpu_quota: 25_000, cpuset_cpus: '0' };
  await t.throwsAsync(daemon.cri.call('UpdateContainerResources', { container_id, linux }), refused);
  t.deepEqual(limitsIn(cgroup), before);
  t.like((await statusOf(daemon, container_id)).resources?.linux, { cpu_quota: '50000', cpuset_cpus: '' });
  await t.throwsAsync(createContainer(daemon, pod, containerConfig('d', ['true'], limited(linux))), refused);
});

/** crun divides the scope and limits the part below it, which systemd leaves alone. */
const unlimited = {
  MemoryMax: 'infinity',
  TasksMax: systemd ? systemctl('show', '--property=DefaultTasksMax', '--value') : '',
  CPUQuotaPerSecUSec: 'infinity',
};

test('a container is a scope of the service manager below the slice of its pod', async (t) => {
  if (!systemd) {
    t.pass('the cgroup driver is cgroupfs');
    return;
  }
  const { daemon } = stage();
  const pod = await runPod(daemon, 'scope');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000', limited(asked));
  const scope = properties(`crio-${id}.scope`, 'ActiveState', 'Slice', 'MemoryMax', 'TasksMax', 'CPUQuotaPerSecUSec');
  const divided = cgroupOf(await pidOf(daemon, id)).endsWith('.scope') ? {} : unlimited;
  t.deepEqual(scope, {
    ActiveState: 'active',
    Slice: daemon.cgroupParent.split('/').at(-1),
    MemoryMax: String(64 * mib),
    TasksMax: '77',
    CPUQuotaPerSecUSec: '500ms',
    ...divided,
  });
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
  await daemon.cri.call('RemoveContainer', { container_id: id });
  t.is(properties(`crio-${id}.scope`, 'ActiveState')['ActiveState'], 'inactive');
});

test('a child that is killed for want of memory takes the container along when it is one group', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'group');
  const script = 'tail /dev/zero & wait; sleep 1000';
  const one = await runScript(daemon, pod, 'one', script, limited({ ...asked, unified: { 'memory.oom.group': '1' } }));
  const alone = { ...asked, unified: {} };
  const many = await runScript(daemon, pod, 'many', script, limited(alone));
  const status = await exitOf(daemon, one, 30_000);
  t.deepEqual([status.exit_code, status.reason], [137, 'OOMKilled']);
  t.is((await statusOf(daemon, many)).state, 'CONTAINER_RUNNING');
});

test('an exec that is killed for its timeout leaves nothing, not even what it sent to the background', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'exec');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const cmd = ['sh', '-c', 'setsid sleep 4242 & sleep 4242'];
  await t.throwsAsync(daemon.cri.call('ExecSync', { container_id, cmd, timeout: 1 }), { message: /DEADLINE_EXCEEDED/ });
  t.is((await exec(daemon, container_id, 'ps | grep -c "[s]leep 4242"')).stdout, '0\n');
});
