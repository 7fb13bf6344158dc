import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { imageStore } from '../images/store.ts';
import type { Daemon } from '../harness/daemon.ts';
import { textOf } from '../harness/files.ts';
import { leaks, traces } from '../harness/leaks.ts';
import { busybox, exec, removePod, runPod, runScript, statusOf } from '../harness/pod.ts';
import { until } from '../harness/process.ts';
import { startRegistry, type Registry } from '../harness/registry.ts';
import { cgroupOf, pidOf, read } from './cgroup.ts';
import { installService, properties, systemctl } from './unit.ts';

/** Limits of the unit made short, so that the story need not wait a minute; the rest is as installed. */
const dropIn = '[Service]\nWatchdogSec=15\nTimeoutAbortSec=1\n';
let registry: Registry;
let daemon: Daemon;
let baseline: Set<string>;

const answers = () =>
  daemon.cri.call('Version', {}, 2000).then(
    () => true,
    () => false,
  );
/** Resolves once a new daemon answers; until its client has seen the old one's end, a call may fail. */
const served = () => until(answers, 60_000, 'the CRI to be served');

/** The names of the processes in the unit's cgroup; what the engine runs is there for as long as it runs. */
const namesInUnit = () =>
  read('/sys/fs/cgroup/system.slice/berth.service', 'cgroup.procs')
    .split('\n')
    .map((pid) => textOf(`/proc/${pid}/comm`).trim())
    .filter((name) => name !== '');

test.before('the unit is installed and started', async (t) => {
  t.timeout(120_000);
  const { storage } = await imageStore();
  registry = await startRegistry({ directory: mkdtempSync(join(tmpdir(), 'berth-unit-')), storage });
  daemon = installService(registry.host, dropIn);
  baseline = traces(daemon);
  await daemon.cri.call('PullImage', { image: { image: busybox } });
});
test.after.always('nothing is left behind', async (t) => {
  try {
    t.deepEqual(await leaks(daemon, baseline), []);
    systemctl('stop', 'berth.socket', 'berth.service');
    t.like(properties('berth.service', 'ActiveState', 'Result'), { ActiveState: 'inactive', Result: 'success' });
  } finally {
    daemon.cri.close();
    await registry.stop();
  }
});

test.serial('the unit is up when the CRI is served, and its main process is berthd', async (t) => {
  const { Type, ActiveState, MainPID } = properties('berth.service', 'Type', 'ActiveState', 'MainPID');
  t.deepEqual({ Type, ActiveState }, { Type: 'notify', ActiveState: 'active' });
  t.is(read(`/proc/${MainPID}`, 'comm'), 'berthd');
  t.is((await daemon.cri.call('Version', {}, 2000)).runtime_name, 'berth');
});

test.serial("a restart of the unit leaves pods running, in cgroups that are not the unit's", async (t) => {
  const pod = await runPod(daemon, 'stays');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const [before, pid] = [daemon.pid(), await pidOf(daemon, id)];
  t.true(cgroupOf(pid).startsWith(`/sys/fs/cgroup${daemon.cgroupParent}/`), cgroupOf(pid));
  systemctl('restart', 'berth.service');
  t.not(daemon.pid(), before);
  t.is((await statusOf(daemon, id)).state, 'CONTAINER_RUNNING');
  t.is(await pidOf(daemon, id), pid);
  const strangers = () => namesInUnit().filter((name) => !['berthd', 'berth-engine'].includes(name));
  await until(() => strangers().length === 0, 20_000, "the unit's cgroup to hold berthd and its engine alone");
  t.is((await exec(daemon, id, 'echo still here')).stdout, 'still here\n');
  await removePod(daemon, pod.id);
});

test.serial('systemd holds the socket while the daemon is away, and starts it for the next client', async (t) => {
  systemctl('stop', 'berth.service');
  t.false(daemon.isRunning());
  t.is(statSync(daemon.socket).mode & 0o777, 0o600);
  await served();
  t.true(daemon.isRunning());
});

test.serial('a daemon that hangs is replaced by the watchdog, its pods go on', async (t) => {
  const pod = await runPod(daemon, 'watched');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const before = daemon.pid();
  process.kill(before, 'SIGSTOP');
  await until(() => ![0, before].includes(daemon.pid()), 60_000, 'another berthd');
  await served();
  t.is((await exec(daemon, id, 'echo still here')).stdout, 'still here\n');
  await removePod(daemon, pod.id);
});

test.serial('a daemon that is killed comes back, without an end to it', async (t) => {
  for (let round = 0; round < 6; round += 1) {
    const before = daemon.pid();
    await daemon.kill();
    await until(() => ![0, before].includes(daemon.pid()), 30_000, 'another berthd');
  }
  await served();
  t.true(daemon.isRunning());
});
