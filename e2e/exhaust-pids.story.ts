import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { childrenOf } from './harness/engine.ts';
import { textOf } from './harness/files.ts';
import { cgroupParentBelow, exec, exitOf, removePod, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();
const hierarchy = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((path) => existsSync(path)) ?? '';

/** The cgroup of a process that limits its number of processes. */
function cgroupOf(pid: number): string {
  const [, path = ''] = /^\d+:(?:pids)?:(.*)$/m.exec(textOf(`/proc/${pid}/cgroup`)) ?? [];
  return join(hierarchy, path);
}

async function refused(t: ExecutionContext, call: Promise<unknown>, said: RegExp): Promise<void> {
  const error = await t.throwsAsync<ServiceError>(call);
  t.is(error?.code, status.RESOURCE_EXHAUSTED, error?.details);
  t.regex(error?.details ?? '', said);
}

test('an exec in a pod at its limit of processes is refused by the limit, and runs when that is raised', async (t) => {
  const { daemon } = stage();
  const parent = cgroupParentBelow(daemon, 'limited');
  // As the kubelet makes the cgroup of a pod.
  const cgroup = join(hierarchy, parent);
  mkdirSync(cgroup, { recursive: true });
  const pod = await runPod(daemon, 'limited', { linux: { cgroup_parent: parent } });
  const id = await runScript(daemon, pod, 'c', 'exec sleep 1000');
  // With room for one there is a process of the runtime, which cannot start its threads and ends without a word.
  for (const room of [0, 1]) {
    const max = Number(readFileSync(join(cgroup, 'pids.current'), 'utf8')) + room;
    writeFileSync(join(cgroup, 'pids.max'), `${max}`);
    await refused(t, exec(daemon, id, 'true'), new RegExp(`limit of processes of cgroup ${cgroup} is reached \\(pids.max, ${max}\\)`));
  }
  writeFileSync(join(cgroup, 'pids.max'), 'max');
  t.is((await exec(daemon, id, 'echo on')).stdout, 'on\n');
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
  t.is((await exitOf(daemon, id)).exit_code, 137);
});

test('a daemon at the limit of processes of its cgroup refuses pods as such, all that runs goes on, and pods run when it is raised', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  const id = await runScript(daemon, pod, 'c', 'exec sleep 1000');
  const before = cgroupOf(daemon.pid());
  const limited = join(hierarchy, `${basename(daemon.directory)}-limited`);
  mkdirSync(limited);
  const moveAll = (to: string): void => {
    for (const pid of [daemon.pid(), ...childrenOf(daemon.pid(), 'berth-engine')]) writeFileSync(join(to, 'cgroup.procs'), `${pid}`);
  };
  try {
    moveAll(limited);
    writeFileSync(join(limited, 'pids.max'), '1');
    await refused(t, runPod(daemon, 'refused'), /Resource temporarily unavailable/);
    t.is((await exec(daemon, id, 'echo on')).stdout, 'on\n');
    await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
    t.is((await exitOf(daemon, id)).exit_code, 137);
    writeFileSync(join(limited, 'pids.max'), 'max');
    await removePod(daemon, pod.id);
    await removePod(daemon, (await runPod(daemon, 'after')).id);
  } finally {
    moveAll(before);
    rmdirSync(limited);
  }
});
