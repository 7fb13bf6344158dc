import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { isKind } from '../api/errors.ts';
import { buildImage } from './fixtures/image.ts';
import { openTestImages, type Opened } from './fixtures/opened.ts';
import { startTestRegistry, type TestRegistry } from './fixtures/registry.ts';
import type { Image } from './records/record.ts';

const signal = new AbortController().signal;
let opened: Opened;
let registry: TestRegistry;
test.beforeEach(async () => {
  registry = await startTestRegistry();
  opened = await openTestImages();
});
test.afterEach.always(async () => {
  registry.close();
  await opened.close();
});
const pull = (name: string): Promise<Image> => opened.images.pull({ reference: `${registry.host}/${name}`, signal });
const soon = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(20);
};

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  test.serial(
    `an image with ${compression} layers is pulled by tag, complete on disk, and there after a restart`,
    async (t) => {
      const built = buildImage({ layers: [{ a: 'one' }, { b: 'two' }], compression, env: ['A=b'], indexed: true });
      registry.serve('app', 'v1', built);
      const image = await pull('app:v1');
      t.is(image.id, built.id);
      t.deepEqual(image.tags, [`${registry.host}/app:v1`]);
      t.deepEqual(image.digests, [`${registry.host}/app@${built.top.digest}`]);
      t.deepEqual(image.config.env, ['A=b']);
      t.deepEqual(image.annotations, { k: 'v' });
      t.is(image.sizeBytes, BigInt(built.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)));
      const [top = '', bottom = ''] = opened.images.layerPaths(image);
      t.is(readFileSync(join(top, 'b'), 'utf8'), 'two');
      t.is(readFileSync(join(bottom, 'a'), 'utf8'), 'one');
      t.is(opened.kept().length, 2);
      t.true(opened.images.usage().usedBytes > 0n && opened.images.usage().inodes >= 4n);
      const usage = opened.images.usage();
      const images = await opened.reopen();
      t.deepEqual(images.list(), [image]);
      t.deepEqual(images.usage(), usage);
    },
  );
}

test.serial(
  'an image is found by id, short id, tag, list digest and manifest digest, always as the same record',
  async (t) => {
    const built = buildImage({ layers: [{ a: '1' }], indexed: true });
    registry.serve('app', 'latest', built);
    const image = await pull('app');
    await opened.reopen();
    const repository = `${registry.host}/app`;
    const hex = image.id.slice('sha256:'.length);
    const names = [
      image.id,
      hex,
      hex.slice(0, 12),
      `sha256:${hex.slice(0, 20)}`,
      repository,
      `${repository}:latest`,
      ...built.manifests.map(({ digest }) => `${repository}@${digest}`),
      `${repository}:other@${built.top.digest}`,
    ];
    for (const name of names) t.deepEqual(opened.images.find(name), image, name);
    for (const name of [hex.slice(0, 11), `${repository}:other`, 'app', 'Not a reference', ''])
      t.is(opened.images.find(name), undefined, name);
  },
);

test.serial('an image pulled by digest has no tag and exactly that digest, until a tag is pulled too', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }], indexed: true });
  registry.serve('app', 'v1', built);
  const [manifest] = built.manifests;
  const name = `${registry.host}/app@${manifest?.digest}`;
  t.deepEqual((({ tags, digests }) => ({ tags, digests }))(await pull(`app@${manifest?.digest}`)), {
    tags: [],
    digests: [name],
  });
  const tagged = await pull('app:v1');
  t.deepEqual(tagged.tags, [`${registry.host}/app:v1`]);
  t.deepEqual(tagged.digests, [name, `${registry.host}/app@${built.top.digest}`].sort());
  t.deepEqual((await opened.reopen()).list(), [tagged]);
});

test.serial('a folder among the layers that the disk does not let go is no reason not to start', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }] }));
  const image = await pull('app:v1');
  const stuck = join(opened.root, 'layers', 'e'.repeat(64));
  mkdirSync(stuck);
  execFileSync('mount', ['-t', 'tmpfs', 'stuck', stuck]);
  try {
    t.deepEqual((await opened.reopen()).list(), [image]);
    t.true(opened.logged.some((line) => line.includes('cannot be taken away') && line.includes(stuck)));
  } finally {
    execFileSync('umount', [stuck]);
  }
});

test.serial('a tag moves to the image it names now', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: 'old' }] }));
  const before = await pull('app:v1');
  registry.serve('app', 'v1', buildImage({ layers: [{ a: 'new' }] }));
  const after = await pull('app:v1');
  t.not(after.id, before.id);
  for (const images of [opened.images, await opened.reopen()]) {
    t.deepEqual(images.find(before.id)?.tags, []);
    t.is(images.find(`${registry.host}/app:v1`)?.id, after.id);
  }
});

test.serial('removing an image by one name removes it with all names, and the layers no other image has', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: 'shared' }, { b: 'own' }] }));
  registry.serve('app', 'v2', buildImage({ layers: [{ a: 'shared' }, { b: 'own' }] }));
  registry.serve('other', 'v1', buildImage({ layers: [{ a: 'shared' }, { b: 'else' }] }));
  await pull('app:v1');
  await pull('app:v2');
  const other = await pull('other:v1');
  await Promise.all(['app:v1', 'app:v2', 'app:v1'].map((name) => opened.images.remove(`${registry.host}/${name}`)));
  t.deepEqual(opened.images.list(), [other]);
  await opened.images.remove('unknown:v1');
  await opened.images.remove('Not a reference');
  await soon(() => opened.kept().length === 2);
  t.is(opened.kept().length, 2);
  t.deepEqual((await opened.reopen()).list(), [other]);
  await opened.images.remove(other.id);
  await soon(() => opened.kept().length === 0);
  t.deepEqual(opened.kept(), []);
  t.deepEqual([opened.images.usage().usedBytes, opened.images.usage().inodes], [0n, 0n]);
  t.deepEqual(
    opened.events.map(({ type }) => type).filter((type) => type !== 'image.pulling'),
    [...Array(3).fill('image.pulled'), ...Array(2).fill('image.removed')],
  );
});

test.serial('an image in use is kept, and who uses it is named', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }] }));
  const image = await pull('app:v1');
  opened.users.set(image.id, ['c1', 'c2', 'c3', 'c4', 'c5']);
  const error = await t.throwsAsync(opened.images.remove(image.id), { message: /c1, c2, c3 and 2 more/ });
  t.true(isKind(error, 'in-use'));
  opened.users.clear();
  const release = opened.images.lease(image.id);
  t.true(isKind(await t.throwsAsync(opened.images.remove(image.id)), 'in-use'));
  release();
  release();
  await opened.images.remove(image.id);
  t.throws(() => opened.images.lease(image.id), { message: new RegExp(image.id) });
});

test.serial('what a crash left is swept at the next start', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }] }));
  const image = await pull('app:v1');
  mkdirSync(join(opened.root, 'tmp', 'half', 'dir'), { recursive: true });
  mkdirSync(join(opened.root, 'layers', 'f'.repeat(64)));
  const images = await opened.reopen();
  await soon(() => opened.kept().length === 1);
  t.is(opened.kept().length, 1);
  t.deepEqual(images.list(), [image]);
});

test.serial('an image whose layer is gone is dropped at the start, and a pull brings it back', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }, { b: '2' }] }));
  const image = await pull('app:v1');
  rmSync(opened.images.layerPaths(image)[0] ?? '', { recursive: true });
  const images = await opened.reopen();
  t.deepEqual(images.list(), []);
  await soon(() => opened.kept().length === 0);
  t.deepEqual(opened.kept(), []);
  t.is((await pull('app:v1')).id, image.id);
  t.is((await opened.reopen()).list().length, 1);
});

test.serial('records of a newer release are refused and left as they are', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }] }));
  const image = await pull('app:v1');
  const path = join(opened.root, 'images', `${image.id.slice('sha256:'.length)}.json`);
  const before = readFileSync(path, 'utf8');
  const newer = before.replace('"version": 1,', '"version": 99,');
  await opened.images.close();
  writeFileSync(path, newer);
  const error = await t.throwsAsync(opened.reopen(), { message: /json has schema version 99, .*: start the release/ });
  t.true(isKind(error, 'newer-format'));
  t.is(readFileSync(path, 'utf8'), newer);
  t.is(opened.kept().length, 1);
  writeFileSync(path, before);
  t.deepEqual((await opened.reopen()).list(), [image]);
});

test.serial('an image whose record cannot be read is named and absent, and a pull brings it back', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }] }));
  const image = await pull('app:v1');
  const path = join(opened.root, 'images', `${image.id.slice('sha256:'.length)}.json`);
  writeFileSync(path, readFileSync(path).subarray(0, 100));
  t.deepEqual((await opened.reopen()).list(), []);
  t.is(readFileSync(`${path}.broken`).length, 100);
  t.true(opened.logged.some((line) => line.includes(`${path}.broken`)));
  const again = await pull('app:v1');
  t.is(again.id, image.id);
  t.deepEqual((await opened.reopen()).list(), [again]);
});
