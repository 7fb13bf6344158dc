import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { exec, exitOf, logLines, removePod, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();
const pids = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((path) => existsSync(path)) ?? '';
const mib = 1 << 20;

/** What a neighbour needs all the time: exec, its log, and another pod. */
async function neighboursGoOn(name: string): Promise<string> {
  const { daemon } = stage();
  const pod = await runPod(daemon, name);
  const id = await runScript(daemon, pod, 'c', 'echo here; sleep 1000');
  const [line] = await logLines(pod, 'c', 1);
  const { stdout } = await exec(daemon, id, 'echo exec');
  await removePod(daemon, pod.id);
  return `${line} ${stdout.trim()}`;
}

test.serial('a fork bomb is held by the limit of processes of its pod, and ends with it', async (t) => {
  const { daemon } = stage();
  const parent = join(daemon.cgroupParent, 'bomb');
  // As the kubelet makes the cgroup of a pod, limit included, before the pod.
  const cgroup = join(pids, parent);
  mkdirSync(cgroup, { recursive: true });
  writeFileSync(join(cgroup, 'pids.max'), '60');
  const current = (): number => Number(readFileSync(join(cgroup, 'pids.current'), 'utf8'));
  const pod = await runPod(daemon, 'bomb', { linux: { cgroup_parent: parent } });
  const id = await runScript(daemon, pod, 'c', 'sh -c "while true; do sleep 1000 & done"; exec tail -f /dev/null');
  t.regex((await logLines(pod, 'c', 1)).join(), /can't fork/);
  t.true(current() > 50);
  t.is(await neighboursGoOn('beside-bomb'), 'here exec');
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 1 });
  t.is((await exitOf(daemon, id)).exit_code, 137);
  await removePod(daemon, pod.id);
  t.false(existsSync(cgroup));
});

test.serial('a container that fills the shared memory of its pod meets its size, and nobody else does', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'filler');
  const filler = await runScript(daemon, pod, 'c', 'cat /dev/zero >/dev/shm/all; echo full; sleep 1000');
  t.true((await logLines(pod, 'c', 2)).includes('full'));
  t.is((await exec(daemon, filler, 'stat -c %s /dev/shm/all')).stdout, `${64 * mib}\n`);
  t.is(await neighboursGoOn('beside-filler'), 'here exec');
});

test.serial('a container that floods its log costs its neighbours nothing and its shim no memory, and is stopped', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'flood');
  const id = await runScript(daemon, pod, 'c', 'exec yes a line that comes again and again without end');
  const log = join(pod.config.log_directory, 'c.log');
  await until(() => statSync(log).size > 8 * mib, 60_000, 'the log to grow');
  t.is(await neighboursGoOn('beside-flood'), 'here exec');
  t.true((await shimMemoryBytes(pod.id)) < 8 * mib);
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 1 });
  t.is((await exitOf(daemon, id)).exit_code, 137);
  const size = statSync(log).size;
  // All of it may be more than a string can hold.
  t.is(execFileSync('tail', ['-c', '1', log], { encoding: 'utf8' }), '\n', 'the last record is whole');
  t.is(statSync(log).size, size);
});

/** Anonymous memory of a pod's shim. */
async function shimMemoryBytes(podId: string): Promise<number> {
  const { info } = await stage().daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: podId, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Anonymous:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024;
}
