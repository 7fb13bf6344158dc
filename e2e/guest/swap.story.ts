import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import test from 'ava';
import { exec, runPod, runScript, statusOf } from '../harness/pod.ts';
import { story } from '../harness/story.ts';
import { cgroupOf, pidOf, read } from './cgroup.ts';

const stage = story();
const mib = 1 << 20;
const file = '/var/tmp/berth-swap';

test.before('the machine has swap', () => {
  execFileSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=1M', 'count=128'], { stdio: 'ignore' });
  execFileSync('mkswap', [file], { stdio: 'ignore' });
  execFileSync('swapon', [file]);
});
test.after.always('the machine has no swap any more', () => {
  if (!existsSync(file)) return;
  execFileSync('swapoff', [file]);
  rmSync(file);
});

/** A pod with a container of 32 MiB of memory that holds `heldMib` MiB in /dev/shm. */
async function holding(name: string, heldMib: number, memory_swap_limit_in_bytes: number): Promise<string> {
  const { daemon } = stage();
  const pod = await runPod(daemon, name);
  const linux = { resources: { memory_limit_in_bytes: 32 * mib, memory_swap_limit_in_bytes } };
  const script = `dd if=/dev/zero of=/dev/shm/x bs=1M count=${heldMib} && touch /full; sleep 100000`;
  return await runScript(daemon, pod, 'c', script, { linux });
}

test('what a container has in swap is told by its stats and held to its limit, which an update moves', async (t) => {
  const { daemon } = stage();
  const container_id = await holding('swaps', 48, 96 * mib);
  await exec(daemon, container_id, 'until [ -e /full ]; do sleep 0.1; done', 60);
  const cgroup = cgroupOf(await pidOf(daemon, container_id));
  t.is(read(cgroup, 'memory.swap.max'), String(64 * mib));
  const held = Number(read(cgroup, 'memory.swap.current'));
  t.true(held > 8 * mib, String(held));
  const { stats } = await daemon.cri.call('ContainerStats', { container_id });
  const told = Number(stats.swap?.swap_usage_bytes?.value);
  t.true(told > 8 * mib && told <= 64 * mib, String(told));
  t.true(Number(stats.swap?.swap_available_bytes?.value) <= 64 * mib - told + mib);
  const linux = { memory_limit_in_bytes: 32 * mib, memory_swap_limit_in_bytes: 80 * mib };
  await daemon.cri.call('UpdateContainerResources', { container_id, linux });
  t.is(read(cgroup, 'memory.swap.max'), String(48 * mib));
  t.is((await statusOf(daemon, container_id)).resources?.linux?.memory_swap_limit_in_bytes, String(80 * mib));
});

test('a container without swap of its own uses none, whatever the machine has', async (t) => {
  const { daemon } = stage();
  const container_id = await holding('none', 16, 32 * mib);
  await exec(daemon, container_id, 'until [ -e /full ]; do sleep 0.1; done', 60);
  const cgroup = cgroupOf(await pidOf(daemon, container_id));
  t.is(read(cgroup, 'memory.swap.max'), '0');
  const { stats } = await daemon.cri.call('ContainerStats', { container_id });
  t.is(Number(stats.swap?.swap_usage_bytes?.value), 0);
});
