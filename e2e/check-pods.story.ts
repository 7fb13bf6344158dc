import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import type { Checked } from '../api/problem.ts';
import { checked, checkedOffline } from './harness/check.ts';
import { textOf } from './harness/files.ts';
import { containerConfig, createContainer, exec, type Pod, removePod, runPod, runScript, statusOf } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';

const metrics = `127.0.0.1:${await freePort()}`;
const stage = story({ daemon: { args: ['--metrics-address', metrics] } });
const clean = { code: 0, problems: [] };
const stranger = 'e'.repeat(64);

type Live = { pod: Pod; container: string; lives(): Promise<boolean> };

async function live(name: string): Promise<Live> {
  const { daemon } = stage();
  const pod = await runPod(daemon, name);
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  return { pod, container, lives: async () => (await exec(daemon, container, 'echo lives')).stdout === 'lives\n' };
}

const shape = ({ kind, id, path }: Checked): object => ({ kind, id, path });
const sorted = (problems: object[]): string[] => problems.map((problem) => JSON.stringify(problem)).sort();
const run = (command: string, ...args: string[]): void => void spawnSync(command, args, { stdio: 'inherit' });
const infoOf = async (pod: Pod): Promise<{ state: string; lacks: string[] }> => {
  const { status, info } = await stage().daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  return { state: status.state, lacks: (JSON.parse(info['info'] ?? '{}') as { lacks: string[] }).lacks };
};

/** Takes the pin of a pod's network namespace away. */
function unpin({ id }: Pod): string {
  const path = `/run/netns/${id}`;
  run('umount', '-l', path);
  rmSync(path);
  return path;
}

/** One of each kind of what may be left without record. */
function strays(known: Pod): object[] {
  const { daemon } = stage();
  const { state, root } = daemon;
  const made = { bundle: join(state, 'containers', stranger), pod: join(state, 'pods', stranger), writable: join(root, 'containers', 'd'.repeat(64)) };
  for (const path of Object.values(made)) mkdirSync(path);
  const socket = join(state, 's', 'e'.repeat(16));
  writeFileSync(socket, '');
  const note = join(root, 'network', `${stranger}.json`);
  writeFileSync(note, readFileSync(join(root, 'network', `${known.id}.json`), 'utf8').replaceAll(known.id, stranger));
  const mount = join(state, 'stray');
  mkdirSync(mount);
  run('mount', '-t', 'tmpfs', 'stray', mount);
  return [
    { kind: 'orphan-shim', id: 'e'.repeat(16), path: socket },
    { kind: 'orphan-network', id: stranger, path: note },
    { kind: 'orphan-pod', id: stranger, path: made.pod },
    { kind: 'orphan-container', id: stranger, path: made.bundle },
    { kind: 'orphan-container', id: 'd'.repeat(64), path: made.writable },
    { kind: 'orphan-mount', id: 'stray', path: mount },
    strayCgroup(),
  ];
}

function strayCgroup(): object {
  const { cgroupParent } = stage().daemon;
  const [, mount = ''] = /^\S+ (\S+) cgroup2? [^\n]*$/m.exec(textOf('/proc/self/mounts')) ?? [];
  const path = join(cgroupParent, `crio-${stranger}`);
  mkdirSync(join(mount, path), { recursive: true });
  return { kind: 'orphan-cgroup', id: stranger, path };
}

test.serial('what is left without record is named, each by its kind, and a repair removes that alone', async (t) => {
  const { daemon } = stage();
  const { pod, lives } = await live('bystander');
  t.deepEqual(await checked(daemon), clean);
  const expected = strays(pod);
  const found = await checked(daemon);
  t.deepEqual(sorted(found.problems.map(shape)), sorted(expected));
  t.is(found.code, 1);
  const repaired = await checked(daemon, '--repair');
  t.deepEqual(repaired.problems.filter((problem) => !problem.repaired), []);
  t.deepEqual(sorted(repaired.problems.map(shape)), sorted(expected));
  rmSync(join(daemon.state, 'stray'), { recursive: true });
  t.deepEqual(await checked(daemon), clean);
  t.true(await lives());
});

test.serial('the same of a daemon that does not run, whose pods run on', async (t) => {
  const { daemon } = stage();
  const { pod, lives } = await live('bystander');
  await daemon.stop();
  t.deepEqual(await checkedOffline(daemon), clean);
  const expected = strays(pod);
  const found = await checkedOffline(daemon);
  t.deepEqual(sorted(found.problems.map(shape)), sorted(expected));
  const repaired = await checkedOffline(daemon, '--repair');
  t.deepEqual(repaired.problems.filter((problem) => !problem.repaired), []);
  rmSync(join(daemon.state, 'stray'), { recursive: true });
  t.deepEqual(await checkedOffline(daemon), clean);
  await daemon.start();
  t.true(await lives());
});

test.serial('what a pod or container lacks is named, and a repair gives back what can be given back', async (t) => {
  const { daemon } = stage();
  const [{ lives }, one, two] = [await live('bystander'), await live('one'), await live('two')];
  const created = await createContainer(daemon, two.pod, containerConfig('created', ['true']));
  const netns = unpin(one.pod);
  const note = join(daemon.root, 'network', `${two.pod.id}.json`);
  rmSync(note);
  const bundle = join(daemon.state, 'containers', created);
  rmSync(join(bundle, 'config.json'));
  const expected = [
    { kind: 'pod-netns', id: one.pod.id, path: netns },
    { kind: 'pod-network', id: two.pod.id, path: note },
    { kind: 'container-bundle', id: created, path: bundle },
  ];
  t.deepEqual((await checked(daemon)).problems.map(shape), expected);
  const repaired = await checked(daemon, '--repair');
  t.deepEqual(repaired.problems.map((problem) => problem.repaired), [true, true, false]);
  t.is((await infoOf(one.pod)).state, 'SANDBOX_NOTREADY');
  t.is((await infoOf(two.pod)).state, 'SANDBOX_READY');
  t.true(await lives());
  t.true(await two.lives());
  await removePod(daemon, one.pod.id);
  await daemon.cri.call('RemoveContainer', { container_id: created });
  t.deepEqual(await checked(daemon), clean);
  t.true(existsSync(note));
});

test.serial('records that a start finds without their resources are there still, marked, with the reason in status, log and metrics', async (t) => {
  const { daemon } = stage();
  const [unharmed, bundled, pinned, shimmed] = [await live('unharmed'), await live('bundled'), await live('pinned'), await live('shimmed')];
  const { info } = await daemon.cri.call('ContainerStatus', { container_id: bundled.container, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  await daemon.stop();
  const bundle = join(daemon.state, 'containers', bundled.container);
  rmSync(join(bundle, 'config.json'));
  unpin(pinned.pod);
  rmSync(join(daemon.state, 's', shimmed.pod.id.slice(0, 16)));
  await daemon.start();
  const counted = async (name: string): Promise<number> => Number(new RegExp(`^berth_${name}_total (\\d+)$`, 'm').exec(await (await fetch(`http://${metrics}/metrics`)).text())?.[1]);
  await until(async () => (await counted('records_incomplete')) === 2, 60_000, 'two records to be marked');

  t.deepEqual(await infoOf(unharmed.pod), { state: 'SANDBOX_READY', lacks: [] });
  t.true(await unharmed.lives());

  const status = await statusOf(daemon, bundled.container);
  t.is(status.state, 'CONTAINER_RUNNING');
  t.regex(status.message, /^its bundle is gone;/);
  t.true(existsSync(`/proc/${pid}`));
  await t.throwsAsync(bundled.lives(), { message: /its bundle .* is gone: make its pod anew/ });

  const network = await infoOf(pinned.pod);
  t.is(network.state, 'SANDBOX_NOTREADY');
  t.deepEqual(network.lacks, ['its network namespace is not pinned there any more']);
  t.is((await statusOf(daemon, pinned.container)).state, 'CONTAINER_RUNNING');

  t.is((await infoOf(shimmed.pod)).state, 'SANDBOX_NOTREADY');
  const lost = await statusOf(daemon, shimmed.container);
  t.is(lost.state, 'CONTAINER_EXITED');
  t.regex(lost.message, /shim/);
  t.is(await counted('shims_lost'), 1);

  const log = textOf(daemon.logPath);
  for (const [kind, id] of [['container-bundle', bundled.container], ['pod-netns', pinned.pod.id]]) {
    t.regex(log, new RegExp(`a record lacks what it needs.*${kind}.*${id}`));
  }
  t.regex(log, new RegExp(`shim of a sandbox is gone.*${shimmed.pod.id}`));
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, 4);
  t.true(existsSync(dirname(bundle)));
});
