import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { berth, mustBerth } from './harness/cli.ts';
import { repository } from './harness/paths.ts';
import { runPod, runScript } from './harness/pod.ts';
import { openTerminal } from './harness/tmux.ts';
import { execute } from './harness/run.ts';
import { story } from './harness/story.ts';

const stage = story();

test.serial('berth version tells what daemon answers', async (t) => {
  t.regex(await mustBerth(stage().daemon, 'version'), /^berth \d+\.\d+\.\d+, CRI v1$/);
});

test.serial('berth pull prints the id of the image that berth images then lists under its name', async (t) => {
  const { daemon } = stage();
  const name = 'gcr.io/k8s-staging-cri-tools/test-image-1:latest';
  const id = await mustBerth(daemon, 'pull', name);
  t.regex(id, /^sha256:[0-9a-f]{64}$/);
  const [headline = '', ...lines] = (await mustBerth(daemon, 'images')).split('\n');
  t.regex(headline, /^IMAGE +ID +BUILT +SIZE +UNIQUE$/);
  t.is(lines.length, 2);
  t.regex(lines.find((line) => line.startsWith(`${name} `)) ?? '', new RegExp(` ${id.slice(7, 19)} .* [0-9.]+ MB +[0-9.]+ k?B$`));
  const listed = JSON.parse(await mustBerth(daemon, 'images', '--json')) as { id: string }[];
  t.true(listed.some((image) => image.id === id));
  await daemon.cri.call('RemoveImage', { image: { image: name } });
});

test.serial('berth pull shows a bar for each layer on a terminal, and nothing of that elsewhere', async (t) => {
  const { daemon } = stage();
  const name = 'docker.io/berth/layers:1';
  const terminal = openTerminal(daemon, [join(repository, 'bin/berth'), '--socket', daemon.socket, 'pull', name]);
  t.teardown(terminal.close);
  await t.notThrowsAsync(terminal.shows(/[0-9a-f]{12} \[={30}\](.*\n)+all +\[={30}\] [0-9.]+ .?B of [0-9.]+ .?B\nsha256:[0-9a-f]{64}\nended 0/));
  await daemon.cri.call('RemoveImage', { image: { image: name } });
  t.is((await berth(daemon, 'pull', name)).stderr, '');
  await daemon.cri.call('RemoveImage', { image: { image: name } });
});

test.serial('berth dump shows the records of pods, containers and images, also of one by the start of its id', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'dumped');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  type Line = { kind: string; record: { id: string; state: string; config: { metadata: { name: string } } } };
  const lines = (await mustBerth(daemon, 'dump')).split('\n').map((line) => JSON.parse(line) as Line);
  t.deepEqual(lines.map(({ kind }) => kind), ['sandbox', 'container', 'image']);
  t.deepEqual(lines.slice(0, 2).map(({ record }) => record.id), [pod.id, id]);
  t.is(lines[1]?.record.state, 'running');
  t.is(lines[1]?.record.config.metadata.name, 'c');
  const one = await mustBerth(daemon, 'dump', id.slice(0, 12));
  t.is((JSON.parse(one) as Line).record.id, id);
});

test.serial('what fails is told in one line, and the exit code says whose fault it is', async (t) => {
  const { daemon } = stage();
  const absent = await berth(daemon, 'pull', 'docker.io/berth/absent:1');
  t.is(absent.code, 1);
  t.regex(absent.stderr, /^berth pull: cannot pull docker\.io\/berth\/absent:1: .*\n$/);
  const misspelt = await berth(daemon, 'imagse');
  t.deepEqual(misspelt, { stdout: '', stderr: 'berth: unknown verb imagse: did you mean images? see berth --help\n', code: 2 });
  const nobody = await execute(join(repository, 'bin/berth'), ['--socket', join(daemon.directory, 'none.sock'), 'images']);
  t.is(nobody.code, 3);
  t.regex(nobody.stderr, /^berth images: no daemon answers on .*none\.sock: start berthd, or name its socket by --socket\n$/);
});

test.serial('the launcher works by a link to it, and help needs no daemon', async (t) => {
  const link = join(stage().daemon.directory, 'berth');
  symlinkSync(join(repository, 'bin/berth'), link);
  const { stdout, code } = await execute(link, ['--help']);
  t.is(code, 0);
  t.regex(stdout, /^Usage: berth /);
});

test.serial('a reader that has enough of the output ends the client without a complaint, a full disk does not', async (t) => {
  const client = `${join(repository, 'bin/berth')} --socket ${stage().daemon.socket}`;
  t.deepEqual(await execute('bash', ['-c', `set -o pipefail; ${client} images | true`]), { stdout: '', stderr: '', code: 0 });
  const full = await execute('bash', ['-c', `${client} images >/dev/full`]);
  t.deepEqual(full, { stdout: '', stderr: 'berth: cannot write the output: ENOSPC: no space left on device, write\n', code: 1 });
});
