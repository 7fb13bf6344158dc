import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Checked } from '../api/problem.ts';
import { checked, checkedOffline, type Outcome } from './harness/check.ts';
import { berth, mustBerth } from './harness/cli.ts';
import { entriesIn } from './harness/files.ts';
import { repository } from './harness/paths.ts';
import { busybox, exec, runPod, runScript } from './harness/pod.ts';
import { execute } from './harness/run.ts';
import { story } from './harness/story.ts';

const flat = 'docker.io/berth/data-flat:1';
const data = 'docker.io/berth/data:1';
const stage = story({ images: [busybox, flat, data] });
const clean = { code: 0, problems: [] };

const check = (...args: string[]): Promise<Outcome> => checked(stage().daemon, ...args);
const checkOffline = (...args: string[]): Promise<Outcome> => checkedOffline(stage().daemon, ...args);

type Imaged = { id: string; record: string; layer: string };

/** Where an image lies: its record, and its last layer. */
async function imaged(image: string): Promise<Imaged> {
  const { daemon } = stage();
  const { id } = (await daemon.cri.call('ImageStatus', { image: { image } })).image ?? { id: '' };
  const record = join(daemon.root, 'images', `${id.slice('sha256:'.length)}.json`);
  const { config } = JSON.parse(readFileSync(record, 'utf8')) as { config: string };
  const diffIds = (JSON.parse(config) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids;
  return { id, record, layer: join(daemon.root, 'layers', diffIds.at(-1)?.slice('sha256:'.length) ?? '') };
}

/** A pod with a container that has to live through all that is done to other things. */
async function bystander(): Promise<{ container: string; lives(): Promise<boolean> }> {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'bystander');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  return { container, lives: async () => (await exec(daemon, container, 'echo lives')).stdout === 'lives\n' };
}

/** Damages one of each kind; all of them, as a check has to name them. */
async function damageStore(): Promise<object[]> {
  const { daemon } = stage();
  const { id, layer } = await imaged(flat);
  rmSync(layer, { recursive: true });
  const unreadable = await imaged(data);
  writeFileSync(unreadable.record, '{"version": 1');
  const name = 'e'.repeat(64);
  const orphan = join(daemon.root, 'layers', name);
  mkdirSync(join(orphan, 'folder'), { recursive: true });
  const left = join(daemon.root, 'tmp', 'left');
  mkdirSync(left);
  return [
    { kind: 'image-record', id: unreadable.id, path: unreadable.record },
    { kind: 'image-layer', id, path: layer },
    { kind: 'orphan-layer', id: `sha256:${name}`, path: orphan },
    { kind: 'leftover', id: 'left', path: left },
  ];
}

const shape = ({ kind, id, path }: Checked): object => ({ kind, id, path });

test.serial('what is damaged is named, and a repair mends that alone while all else runs on', async (t) => {
  const { daemon } = stage();
  const { lives } = await bystander();
  t.deepEqual(await check(), clean);
  const damages = await damageStore();
  const found = await check();
  t.is(found.code, 1);
  t.deepEqual(found.problems.map(shape), damages);
  const repaired = await check('--repair');
  t.is(repaired.code, 1);
  t.deepEqual(repaired.problems.map(shape), damages);
  t.true(repaired.problems.every((problem) => problem.repaired));
  t.deepEqual(await check(), clean);
  t.true(await lives());
  t.truthy((await daemon.cri.call('ImageStatus', { image: { image: data } })).image);
  t.is((await daemon.cri.call('ImageStatus', { image: { image: flat } })).image, null);
  await mustBerth(daemon, 'pull', flat);
  t.is(readFileSync(join((await imaged(flat)).layer, 'flat'), 'utf8'), 'one layer');
});

test.serial('what is damaged is named offline with nothing touched, a repair mends it, and pods run on', async (t) => {
  const { daemon } = stage();
  const { lives } = await bystander();
  const damages = await damageStore();
  await daemon.stop();
  const found = await checkOffline();
  t.is(found.code, 1);
  // Without a daemon that knows it by heart, the layers of an image whose record is lost are nobody's.
  const named = found.problems.map(shape).map((problem) => JSON.stringify(problem));
  t.deepEqual(damages.filter((damage) => !named.includes(JSON.stringify(damage))), []);
  t.deepEqual(await checkOffline(), found, 'a check without repair changes something');
  const repaired = await checkOffline('--repair');
  t.deepEqual(repaired.problems.filter((problem) => !problem.repaired), []);
  t.is(repaired.code, 1);
  t.deepEqual(await checkOffline(), clean);
  await daemon.start();
  t.true(await lives());
  for (const image of [flat, data]) await mustBerth(daemon, 'pull', image);
  t.deepEqual(await check(), clean);
});

test.serial('a byte of a layer that has changed is found by a full check, with a daemon and without one', async (t) => {
  const { daemon } = stage();
  const { lives } = await bystander();
  t.deepEqual(await check('--full'), clean);
  const { id, layer } = await imaged(flat);
  const file = join(layer, 'flat');
  const { atime, mtime } = statSync(file);
  writeFileSync(file, readFileSync(file, 'utf8').replace('one', 'two'));
  utimesSync(file, atime, mtime);
  t.deepEqual(await check(), clean);
  const expected = [{ kind: 'layer-content', id, path: layer }];
  t.deepEqual((await check('--full')).problems.map(shape), expected);
  await daemon.stop();
  t.deepEqual((await checkOffline('--full')).problems.map(shape), expected);
  const repaired = await checkOffline('--full', '--repair');
  t.deepEqual(repaired.problems.map((problem) => ({ ...shape(problem), repaired: problem.repaired })), [{ ...expected[0], repaired: true }]);
  t.deepEqual(await checkOffline('--full'), clean);
  await daemon.start();
  t.true(await lives());
  await mustBerth(daemon, 'pull', flat);
  t.deepEqual(await check('--full'), clean);
});

test.serial('a damaged layer that a container stands on is told of with its user, and stays', async (t) => {
  const { container, lives } = await bystander();
  const { id, layer } = await imaged(busybox);
  const kept = join(stage().daemon.directory, 'kept');
  // As an overlay's lower directory it is held by its inode, so the container does not notice.
  renameSync(layer, kept);
  mkdirSync(layer);
  const found = await check('--repair');
  const named = found.problems.find((problem) => problem.kind === 'image-layer');
  rmSync(layer, { recursive: true });
  renameSync(kept, layer);
  t.is(found.code, 1);
  t.like(named, { id, path: layer, repair: '', repaired: false });
  t.true(named?.what.includes(`container ${container}`));
  t.true(await lives());
});

test.serial('what changes while it is looked at is no problem', async (t) => {
  const { daemon } = stage();
  const pulls = (async () => {
    for (let round = 0; round < 4; round++) {
      await daemon.cri.call('RemoveImage', { image: { image: flat } });
      await daemon.cri.call('PullImage', { image: { image: flat } });
    }
  })();
  const found: Checked[] = [];
  let running = true;
  const ended = pulls.finally(() => {
    running = false;
  });
  while (running) found.push(...(await check()).problems);
  await ended;
  t.deepEqual(found, []);
});

test.serial('who cannot look says why and ends with 2', async (t) => {
  const { daemon } = stage();
  const beside = await execute(join(repository, 'bin/berth'), ['check', '--offline', '--', ...daemon.commandLine.slice(1)]);
  t.is(beside.code, 2);
  t.regex(beside.stderr, /a daemon runs there: have it look, by berth check without --offline\n$/);
  const nobody = await execute(join(repository, 'bin/berth'), ['--socket', join(daemon.directory, 'none.sock'), 'check']);
  t.is(nobody.code, 2);
  t.regex(nobody.stderr, /^berth check: no daemon answers/);
  t.is((await berth(daemon, 'check', 'x')).code, 2);
});

test.serial('people read one line for each problem and one for all', async (t) => {
  const { daemon } = stage();
  const path = join(daemon.root, 'tmp', 'left');
  mkdirSync(path);
  const { stdout } = await berth(daemon, 'check', '--repair');
  const [first = '', last = ''] = stdout.split('\n');
  t.is(first, `leftover left ${path}: was left by work that has ended; repaired: remove it`);
  t.regex(last, /^1 problems, 1 repaired; looked at 3 images, \d+ layers, 0 pods, 0 containers$/);
  t.deepEqual(entriesIn(join(daemon.root, 'tmp')), []);
});
