import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { isKind } from '../../api/errors.ts';
import type { Checked } from '../../api/problem.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { startTestRegistry, type TestRegistry } from '../fixtures/registry.ts';
import type { Image } from '../records/record.ts';

const signal = new AbortController().signal;
let opened: Opened;
let registry: TestRegistry;
test.beforeEach(async () => {
  registry = await startTestRegistry();
  opened = await openTestImages();
  registry.serve('app', 'v1', buildImage({ layers: [{ a: 'shared' }, { b: 'own' }] }));
  registry.serve('other', 'v1', buildImage({ layers: [{ a: 'shared' }, { b: 'else' }] }));
});
test.afterEach.always(async () => {
  registry.close();
  await opened.close();
});
const pull = (name: string): Promise<Image> => opened.images.pull({ reference: `${registry.host}/${name}`, signal });
const check = async (repair = false, full = false, unverified: string[] = []): Promise<Checked[]> => {
  const found: Checked[] = [];
  for await (const problem of opened.images.check({ repair, full, unverified: (diffId) => void unverified.push(diffId), signal })) found.push(problem);
  return found;
};
const recordOf = ({ id }: Image): string => join(opened.root, 'images', `${id.slice('sha256:'.length)}.json`);
const layerOf = ({ layers }: Image, at: number): string => join(opened.root, 'layers', layers[at]?.slice('sha256:'.length) ?? '');
const shapes = (found: Checked[]): object[] => found.map(({ kind, id, path, repaired }) => ({ kind, id, path, repaired }));

type Damage = { kind: string; does: (app: Image) => { id: string; path: string }; isGone?: true };
const damages: Record<string, Damage> = {
  'a record that cannot be read': {
    kind: 'image-record',
    does: (app) => {
      writeFileSync(recordOf(app), readFileSync(recordOf(app)).subarray(0, 100));
      return { id: app.id, path: recordOf(app) };
    },
  },
  'a record that is gone': {
    kind: 'image-record',
    does: (app) => {
      rmSync(recordOf(app));
      return { id: app.id, path: recordOf(app) };
    },
  },
  'a record that a start put aside': {
    kind: 'image-record',
    does: () => {
      const path = join(opened.root, 'images', `${'a'.repeat(64)}.json.broken`);
      writeFileSync(path, '');
      return { id: `sha256:${'a'.repeat(64)}`, path };
    },
  },
  'a layer that is gone': {
    kind: 'image-layer', isGone: true,
    does: (app) => {
      rmSync(layerOf(app, 1), { recursive: true });
      return { id: app.id, path: layerOf(app, 1) };
    },
  },
  'a layer that was emptied': {
    kind: 'image-layer', isGone: true,
    does: (app) => {
      rmSync(layerOf(app, 1), { recursive: true });
      mkdirSync(layerOf(app, 1));
      return { id: app.id, path: layerOf(app, 1) };
    },
  },
  'a layer that is a file': {
    kind: 'image-layer', isGone: true,
    does: (app) => {
      rmSync(layerOf(app, 1), { recursive: true });
      writeFileSync(layerOf(app, 1), '');
      return { id: app.id, path: layerOf(app, 1) };
    },
  },
  'a layer that no image has': {
    kind: 'orphan-layer',
    does: () => {
      const path = join(opened.root, 'layers', 'e'.repeat(64));
      mkdirSync(join(path, 'folder'), { recursive: true });
      return { id: `sha256:${'e'.repeat(64)}`, path };
    },
  },
  'a record that was not finished': {
    kind: 'leftover',
    does: (app) => {
      writeFileSync(`${recordOf(app)}.tmp`, '');
      return { id: `${app.id.slice('sha256:'.length)}.json.tmp`, path: `${recordOf(app)}.tmp` };
    },
  },
  'what work left in the temporary folder': {
    kind: 'leftover',
    does: () => {
      mkdirSync(join(opened.root, 'tmp', 'left'));
      return { id: 'left', path: join(opened.root, 'tmp', 'left') };
    },
  },
};

for (const [title, { kind, does, isGone }] of Object.entries(damages)) {
  test.serial(`${title} is named, and a repair mends that alone`, async (t) => {
    const [app, other] = [await pull('app:v1'), await pull('other:v1')];
    t.deepEqual(await check(), []);
    const damage = does(app);
    t.deepEqual(shapes(await check()), [{ kind, ...damage, repaired: false }]);
    t.deepEqual(shapes(await check(true)), [{ kind, ...damage, repaired: true }]);
    t.deepEqual(await check(), []);
    t.deepEqual(opened.images.list(), isGone ? [other] : [app, other]);
    await pull('app:v1');
    t.is(readFileSync(join(layerOf(app, 1), 'b'), 'utf8'), 'own');
    t.is((await opened.reopen()).list().length, 2);
  });
}

/** A change that keeps name, size and times. */
function rot(path: string): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

const rots: Record<string, [does: (layer: string) => void, what: RegExp]> = {
  'a file with a wrong byte': [(layer) => rot(join(layer, 'b')), /has 1 files that are not as they were unpacked \(b\)$/],
  'a file that was cut short': [(layer) => truncateSync(join(layer, 'b'), 0), /has 1 files that are not as they were unpacked \(b\)$/],
  'a file that is gone': [(layer) => rmSync(join(layer, 'b')), /has lost 1 files$/],
};
for (const [title, [does, what]] of Object.entries(rots)) {
  test.serial(`${title} is found by a full check, and a repair drops the image`, async (t) => {
    registry.serve('app', 'v1', buildImage({ layers: [{ a: 'shared' }, { b: 'own', c: 'more' }] }));
    const [app, other] = [await pull('app:v1'), await pull('other:v1')];
    const unverified: string[] = [];
    t.deepEqual(await check(false, true, unverified), []);
    t.deepEqual(unverified, []);
    does(layerOf(app, 1));
    t.deepEqual(await check(), []);
    const [found, ...rest] = await check(true, true);
    t.deepEqual(rest, []);
    t.like(found, { kind: 'layer-content', id: app.id, path: layerOf(app, 1), repaired: true });
    t.regex(found?.what ?? '', what);
    t.deepEqual(opened.images.list(), [other]);
    await pull('app:v1');
    t.deepEqual(await check(false, true), []);
  });
}

test.serial('a layer of which nothing was kept is told of as not verified', async (t) => {
  const app = await pull('app:v1');
  rmSync(join(opened.root, 'sums', app.layers[0]?.slice('sha256:'.length) ?? ''));
  const unverified: string[] = [];
  t.deepEqual(await check(false, true, unverified), []);
  t.deepEqual(unverified, [app.layers[0]]);
});

test.serial('sums go with their layer', async (t) => {
  await pull('app:v1');
  t.is(readdirSync(join(opened.root, 'sums')).length, 2);
  writeFileSync(join(opened.root, 'sums', 'a'.repeat(64)), '');
  t.deepEqual(shapes(await check(true)), [{ kind: 'leftover', id: 'a'.repeat(64), path: join(opened.root, 'sums', 'a'.repeat(64)), repaired: true }]);
  await opened.images.remove(`${registry.host}/app:v1`);
  t.deepEqual(readdirSync(join(opened.root, 'sums')), []);
});

test.serial('of images that share a damaged layer none is dropped while one of them is in use', async (t) => {
  const [app, other] = [await pull('app:v1'), await pull('other:v1')];
  rmSync(join(layerOf(app, 0), 'a'));
  opened.users.set(other.id, ['container c']);
  const found = await check(true);
  t.deepEqual(shapes(found), [app, other].map(({ id }) => ({ kind: 'image-layer', id, path: layerOf(app, 0), repaired: false })));
  t.true(found.every(({ repair, what }) => repair === '' && what.endsWith('it stays while it is used by container c')));
  opened.users.delete(other.id);
  t.true((await check(true)).every(({ repaired }) => repaired));
  t.deepEqual([opened.images.list(), existsSync(layerOf(app, 0))], [[], false]);
  await pull('app:v1');
  t.deepEqual(await check(), []);
});

test.serial('a layer that is gone from under a container comes with the next pull', async (t) => {
  const app = await pull('app:v1');
  opened.users.set(app.id, ['container c']);
  rmSync(layerOf(app, 0), { recursive: true });
  t.deepEqual(shapes(await check(true)), [{ kind: 'image-layer', id: app.id, path: layerOf(app, 0), repaired: true }]);
  t.deepEqual(opened.images.list(), [], 'an image without one of its layers can be used');
  t.is((await pull('app:v1')).id, app.id);
  t.deepEqual(await check(), []);
  t.is(readFileSync(join(layerOf(app, 0), 'a'), 'utf8'), 'shared');
});

test.serial('records of a newer release end the check, and all is left as it is', async (t) => {
  const app = await pull('app:v1');
  const newer = readFileSync(recordOf(app), 'utf8').replace('"version": 1,', '"version": 99,');
  writeFileSync(recordOf(app), newer);
  t.true(isKind(await t.throwsAsync(check(true)), 'newer-format'));
  t.is(readFileSync(recordOf(app), 'utf8'), newer);
});
