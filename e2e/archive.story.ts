import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { berth, mustBerth } from './harness/cli.ts';
import { busybox, containerConfig, createContainer, exitOf, logLines, removePod, runPod } from './harness/pod.ts';
import { repository } from './harness/paths.ts';
import { until } from './harness/process.ts';
import { execute } from './harness/run.ts';
import { story } from './harness/story.ts';

const stage = story();
const scratch = mkdtempSync(join(tmpdir(), 'berth-archive-'));
test.after.always('the archives are removed', () => rmSync(scratch, { recursive: true, force: true }));

/** What the program prints; throws with its error text when it fails. */
async function must(command: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await execute(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trimEnd();
}

const skopeo = (...args: string[]): Promise<string> => must('skopeo', '--insecure-policy', ...args);

/** podman and buildah with a store of their own, and the file systems' way of layers that works everywhere. */
const own = ['--root', join(scratch, 'containers'), '--runroot', join(scratch, 'run'), '--storage-driver', 'vfs'];
const podman = (...args: string[]): Promise<string> => must('podman', ...own, '--cgroup-manager', 'cgroupfs', ...args);
const buildah = (...args: string[]): Promise<string> => must('buildah', ...own, ...args);

/** So that no container uses an image any more. */
async function endPods(): Promise<void> {
  const { daemon } = stage();
  for (const { id } of (await daemon.cri.call('ListPodSandbox', {})).items) await removePod(daemon, id);
}

/** The first line that a container of the image prints, and its exit code. */
async function runOf(t: ExecutionContext, image: string, script: string): Promise<string> {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'loaded');
  const id = await createContainer(daemon, pod, { ...containerConfig('c', ['sh', '-c', script]), image: { image } });
  await daemon.cri.call('StartContainer', { container_id: id });
  t.is((await exitOf(daemon, id)).exit_code, 0);
  return (await logLines(pod, 'c', 1))[0] ?? '';
}

test.serial('what berth saves, skopeo reads as OCI archive and as Docker archive, and podman loads under its name', async (t) => {
  const { daemon } = stage();
  const file = join(scratch, 'saved.tar');
  await mustBerth(daemon, 'save', '-o', file, busybox);
  const platform = ['--override-os', 'linux'];
  type Inspected = { Layers: string[]; Os: string };
  const [oci, docker] = await Promise.all(
    ['oci-archive', 'docker-archive'].map(async (form) => JSON.parse(await skopeo(...platform, 'inspect', `${form}:${file}`)) as Inspected),
  );
  t.true((oci?.Layers.length ?? 0) > 0);
  t.deepEqual(docker?.Layers, oci?.Layers);
  t.is(oci?.Os, 'linux');
  await skopeo('copy', `oci-archive:${file}:${busybox}`, `dir:${join(scratch, 'dir')}`);
  t.true((await podman('load', '-i', file)).includes(busybox));
  t.true((await podman('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').includes(busybox));
});

test.serial('what berth saves, it loads under the same name and runs; saved again it has the same bytes, in a folder too', async (t) => {
  const { daemon } = stage();
  const [first, second, folder] = ['first.tar', 'second.tar', 'folder'].map((name) => join(scratch, name)) as [string, string, string];
  await mustBerth(daemon, 'save', '-o', first, busybox);
  await mustBerth(daemon, 'rmi', busybox);
  const [id, name] = (await mustBerth(daemon, 'load', '-i', first)).split(' ');
  t.is(name, busybox);
  t.is(await runOf(t, busybox, 'echo it runs'), 'it runs');
  await mustBerth(daemon, 'save', '-o', second, id ?? '');
  t.true(readFileSync(second).equals(readFileSync(first)));
  await mustBerth(daemon, 'save', '--folder', folder, busybox);
  t.deepEqual(readdirSync(folder).sort(), ['blobs', 'index.json', 'manifest.json', 'oci-layout']);
  t.is(await mustBerth(daemon, 'load', '-i', folder), `${id} ${busybox}`);
  const client = `${join(repository, 'bin/berth')} --socket ${daemon.socket}`;
  const piped = await execute('sh', ['-c', `${client} save ${busybox} | ${client} load`]);
  t.is(piped.stdout, `${id} ${busybox}\n`);
});

test.serial('archives that skopeo and buildah write load and run', async (t) => {
  const { daemon, registry } = stage();
  const source = `docker://${registry.host}/e2e-test-images/busybox:1.29-2`;
  const copy = (target: string): Promise<string> => skopeo('copy', '--src-tls-verify=false', source, target);
  const [oci, docker, folder, built] = ['oci.tar', 'docker.tar', 'layout', 'built.tar'].map((name) => join(scratch, name)) as [string, string, string, string];
  await copy(`oci-archive:${oci}:quay.io/theirs/oci:1`);
  await copy(`docker-archive:${docker}:quay.io/theirs/docker:1`);
  await copy(`oci:${folder}:latest`);
  const pulled = (await daemon.cri.call('ImageStatus', { image: { image: busybox } })).image?.id;
  const loaded = await mustBerth(daemon, 'load', '-i', oci);
  t.regex(loaded, / quay\.io\/theirs\/oci:1/);
  t.regex(await mustBerth(daemon, 'load', '-i', docker), / quay\.io\/theirs\/docker:1/);
  t.regex(await mustBerth(daemon, 'load', '-i', folder, '--name', 'quay.io/theirs/folder:1'), / quay\.io\/theirs\/folder:1/);
  t.truthy(pulled);
  for (const form of ['oci', 'docker', 'folder']) t.is(await runOf(t, `quay.io/theirs/${form}:1`, `echo ${form}`), form);

  const container = await buildah('from', `docker-archive:${docker}`);
  const addition = join(scratch, 'addition');
  mkdirSync(addition);
  await buildah('copy', container, join(scratch, 'oci.tar'), '/kept/oci.tar');
  await buildah('config', '--label', 'made=by-buildah', container);
  await buildah('commit', container, `oci-archive:${built}:quay.io/theirs/built:1`);
  await mustBerth(daemon, 'load', '-i', built);
  t.is(await runOf(t, 'quay.io/theirs/built:1', 'stat -c %s /kept/oci.tar'), String(statSync(oci).size));
  const labelled = JSON.parse(await mustBerth(daemon, 'images', '--json', '--filter', 'label=made=by-buildah')) as { tags: string[] }[];
  t.deepEqual(labelled.map(({ tags }) => tags), [['quay.io/theirs/built:1']]);
});

test.serial('archives that podman saves in either format load and run, one of several images too, and so does what buildah pushes', async (t) => {
  const { daemon } = stage();
  const [one, two] = ['quay.io/theirs/one:1', 'quay.io/theirs/two:1'];
  await podman('tag', busybox, one);
  const container = await buildah('from', one);
  await buildah('config', '--label', 'made=two', container);
  await buildah('commit', container, two);
  const loads = async (t: ExecutionContext, path: string, names: string[]): Promise<void> => {
    const lines = (await mustBerth(daemon, 'load', '-i', path)).split('\n');
    t.deepEqual(lines.map((line) => line.split(' ')[1]).sort(), names);
    for (const name of names) t.is(await runOf(t, name, `echo ${name}`), name);
    await endPods();
    for (const line of new Set(lines.map((each) => each.split(' ')[0] ?? ''))) await mustBerth(daemon, 'rmi', line);
  };
  const saved = (name: string): string => join(scratch, `podman-${name}`);
  for (const format of ['docker-archive', 'oci-archive', 'oci-dir']) {
    await podman('save', '--format', format, '-o', saved(format), one);
    await loads(t, saved(format), [one]);
  }
  await podman('save', '--multi-image-archive', '-o', saved('several'), one, two);
  await loads(t, saved('several'), [one, two]);
  await buildah('push', two, `oci-archive:${saved('pushed')}:quay.io/theirs/pushed:1`);
  await loads(t, saved('pushed'), ['quay.io/theirs/pushed:1']);
  await daemon.cri.call('PullImage', { image: { image: busybox } });
});

test.serial('what berth saves of several images podman loads, each under its names', async (t) => {
  const { daemon } = stage();
  const layers = 'docker.io/berth/layers:1';
  await daemon.cri.call('PullImage', { image: { image: layers } });
  const file = join(scratch, 'several.tar');
  await mustBerth(daemon, 'save', '-o', file, busybox, layers);
  await podman('rmi', '--all', '--force');
  await podman('load', '-i', file);
  const names = (await podman('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n');
  t.deepEqual(names.sort(), [layers, busybox].sort());
});

test.serial('what is no archive, and a file that is not there, are refused in one line; a save that fails leaves no file', async (t) => {
  const { daemon } = stage();
  const bad = await berth(daemon, 'load', '-i', '/bin/true');
  t.is(bad.code, 1);
  t.regex(bad.stderr, /^berth load: cannot load the archive: .*\n$/);
  t.regex((await berth(daemon, 'load', '-i', '/nonexistent')).stderr, /^berth load: there is no file or folder \/nonexistent\n$/);
  const file = join(scratch, 'none.tar');
  const absent = await berth(daemon, 'save', '-o', file, 'docker.io/berth/absent:1');
  t.deepEqual([absent.code, absent.stderr], [1, 'berth save: image docker.io/berth/absent:1 is not here: pull it first\n']);
  t.false(readdirSync(scratch).some((name) => name.startsWith('none.tar')));
});

/** Starts to load the first bytes of an archive and waits until the daemon keeps them. */
async function halfALoad(): Promise<ChildProcess> {
  const { daemon } = stage();
  const client = spawn(join(repository, 'bin/berth'), ['--socket', daemon.socket, 'load'], { stdio: ['pipe', 'ignore', 'ignore'] });
  client.stdin!.on('error', () => undefined);
  client.stdin!.write(readFileSync(join(scratch, 'saved.tar')).subarray(0, 1_000_000));
  await until(() => kept().length > 0, 30_000, 'the daemon to keep the first bytes');
  return client;
}

const kept = (): string[] => readdirSync(join(stage().daemon.root, 'tmp'));

test.serial('a client that goes away in the middle of a load or a save leaves nothing', async (t) => {
  const { daemon } = stage();
  (await halfALoad()).kill('SIGKILL');
  await until(() => kept().length === 0, 30_000, 'what was kept of the load to go');
  const program = join(repository, 'bin/berth');
  await execute('bash', ['-c', `${program} --socket ${daemon.socket} save ${busybox} | head -c 100000 >/dev/null`]);
  await until(() => kept().length === 0, 30_000, 'what was kept of the save to go');
  t.regex(await mustBerth(daemon, 'rmi', busybox), /^sha256:/);
});

test.serial('a daemon that is killed in the middle of a load has nothing of it when it is back', async (t) => {
  const { daemon } = stage();
  const client = await halfALoad();
  const ended = once(client, 'exit');
  await daemon.kill();
  const [code] = (await ended) as [number | null];
  t.true(code === 1 || code === 3, 'its connection broke, or could not be made anew');
  await daemon.start();
  await until(() => kept().length === 0, 30_000, 'the next daemon to sweep what was kept');
  const before = await mustBerth(daemon, 'images', '--quiet');
  t.is(await mustBerth(daemon, 'load', '-i', join(scratch, 'saved.tar')).then((line) => line.split(' ')[1]), busybox);
  t.not(await mustBerth(daemon, 'images', '--quiet'), before);
});
