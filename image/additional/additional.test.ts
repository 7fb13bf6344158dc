import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { startTestRegistry, type TestRegistry } from '../fixtures/registry.ts';
import { isPinned } from '../pinned.ts';
import type { Image } from '../records/record.ts';

const signal = new AbortController().signal;
let registry: TestRegistry;
test.beforeEach(async () => {
  registry = await startTestRegistry();
});
test.afterEach.always(() => registry.close());

const pullBy = (opened: Opened, name: string): Promise<Image> => opened.images.pull({ reference: `${registry.host}/${name}`, signal });
const blobsAsked = (): number => registry.seen.filter(({ path }) => path.includes('/blobs/')).length;
const serve = (name: string, files: readonly string[], tag = 'v1'): void =>
  registry.serve(name, tag, buildImage({ layers: files.map((file) => ({ [file]: file })), env: [`NAME=${name}`] }));

/** A store that a daemon has filled with images of these layers, by name. */
async function filled(t: ExecutionContext, images: Record<string, readonly string[]>): Promise<string> {
  const opened = await openTestImages();
  const root = mkdtempSync(join(tmpdir(), 'berth-additional-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [name, files] of Object.entries(images)) {
    serve(name, files);
    await pullBy(opened, `${name}:v1`);
  }
  for (const folder of ['images', 'layers']) cpSync(join(opened.root, folder), join(root, folder), { recursive: true });
  await opened.close();
  registry.seen.length = 0;
  return root;
}

async function openedOver(t: ExecutionContext, ...additionalStores: string[]): Promise<Opened> {
  const opened = await openTestImages({ additionalStores });
  t.teardown(() => opened.close());
  return opened;
}
const recordsIn = (root: string): string[] => readdirSync(join(root, 'images')).map((name) => join(root, 'images', name));

test.serial('an image of an additional store is found, listed as pinned and lies there; what is counted is ours', async (t) => {
  const store = await filled(t, { app: ['a', 'b'] });
  const { images, kept } = await openedOver(t, store);
  const name = `${registry.host}/app:v1`;
  const image = images.list()[0] as Image;
  t.deepEqual(image.tags, [name]);
  for (const each of [name, image.id, image.id.slice(7, 20), image.digests[0] ?? '']) t.is(images.find(each), image, each);
  t.true(isPinned(image, []));
  t.deepEqual(images.layerPaths(image).map(dirname), Array(2).fill(join(store, 'layers')));
  t.is(readFileSync(join(images.layerPaths(image)[0] ?? '', 'b'), 'utf8'), 'b');
  t.true(images.usageOf(image.layers[0] ?? '').inodes > 0n);
  t.deepEqual([images.usage().usedBytes, images.usage().inodes], [0n, 0n]);
  t.deepEqual(kept(), []);
  images.lease(image.id)();
  const archive = [];
  for await (const chunk of images.save([name], signal)) archive.push(chunk);
  t.true(Buffer.concat(archive).includes('oci-layout'));
});

test.serial('an image of an additional store is not removed, and the refusal says where it lies; pruning leaves it alone', async (t) => {
  const store = await filled(t, { app: ['a'] });
  const { images, events } = await openedOver(t, store);
  const error = await t.throwsAsync(images.remove(`${registry.host}/app:v1`), { message: new RegExp(`app:v1 .*lies in the additional store ${store}`) });
  t.true(isKind(error, 'wrong-state'));
  t.deepEqual(await images.prune(() => true), []);
  t.is(images.list().length, 1);
  t.is(recordsIn(store).length, 1);
  t.deepEqual(events, []);
});

test.serial('a pull of an image that lies whole in an additional store fetches nothing; another tag of it is ours', async (t) => {
  const store = await filled(t, { app: ['a', 'b'] });
  const opened = await openedOver(t, store);
  const there = await pullBy(opened, 'app:v1');
  t.deepEqual([there.additionalStore, opened.images.list()], [store, [there]]);
  t.deepEqual(recordsIn(opened.root), []);
  serve('app', ['a', 'b'], 'v2');
  const tagged = await pullBy(opened, 'app:v2');
  t.deepEqual(tagged.tags, ['v1', 'v2'].map((tag) => `${registry.host}/app:${tag}`));
  t.deepEqual([tagged.id, tagged.additionalStore], [there.id, '']);
  t.is(blobsAsked(), 0);
  t.deepEqual((await opened.reopen()).list(), [tagged]);
  t.deepEqual(opened.kept(), []);
  await opened.images.remove(`${registry.host}/app:v2`);
  t.deepEqual(opened.images.list().map(({ id, tags }) => [id, tags]), [[there.id, there.tags]]);
});

test.serial('a pull fetches only the layers that no additional store has, and removing the image takes only those', async (t) => {
  const store = await filled(t, { app: ['shared', 'b'] });
  const opened = await openedOver(t, store);
  serve('other', ['shared', 'own']);
  const image = await pullBy(opened, 'other:v1');
  t.deepEqual(opened.images.layerPaths(image).map(dirname), [join(opened.root, 'layers'), join(store, 'layers')]);
  t.is(opened.kept().length, 1);
  t.is(opened.counts.get('image_layers_reused'), 1);
  t.deepEqual((await opened.reopen()).find(image.id), image);
  t.is(opened.kept().length, 1);
  await opened.images.remove(image.id);
  await opened.reopen();
  t.deepEqual(opened.kept(), []);
  t.is(readdirSync(join(store, 'layers')).length, 2);
});

test.serial('an image and a name that are in both are ours', async (t) => {
  const store = await filled(t, { app: ['a'], moved: ['old'] });
  const opened = await openedOver(t, join(store, 'absent'));
  serve('moved', ['new']);
  const [app, moved] = [await pullBy(opened, 'app:v1'), await pullBy(opened, 'moved:v1')];
  for (const folder of ['images', 'layers']) cpSync(join(store, folder), join(store, 'absent', folder), { recursive: true });
  const images = await opened.reopen();
  t.is(images.list().length, 3);
  t.deepEqual(images.find(`${registry.host}/app:v1`), app);
  t.deepEqual(images.find(`${registry.host}/moved:v1`), moved);
  const old = images.list().find(({ additionalStore }) => additionalStore !== '');
  t.deepEqual(old?.tags, []);
  t.is(images.find(old?.id ?? ''), old);
  await images.remove(`${registry.host}/moved:v1`);
  t.is(images.find(`${registry.host}/moved:v1`)?.id, old?.id);
});

test.serial('a store that is missing is named in the log once, and found without a restart when a pull looks again', async (t) => {
  const store = await filled(t, { app: ['a'] });
  const away = `${store}-away`;
  renameSync(store, away);
  const opened = await openedOver(t, store);
  const warnings = (): number => opened.logged.filter((line) => line.includes('cannot be read') && line.includes(store)).length;
  t.is(warnings(), 1);
  serve('other', ['b']);
  await pullBy(opened, 'other:v1');
  t.is(warnings(), 1);
  t.is(opened.images.list().length, 1);
  renameSync(away, store);
  registry.seen.length = 0;
  t.is((await pullBy(opened, 'app:v1')).additionalStore, store);
  t.is(blobsAsked(), 0);
  t.is(opened.images.list().length, 2);
});

test.serial('an image that is added to a store, or leaves it, is seen at the next pull', async (t) => {
  const [store, more] = [await filled(t, { app: ['a'] }), await filled(t, { late: ['c'] })];
  const opened = await openedOver(t, store);
  cpSync(more, store, { recursive: true });
  t.is((await pullBy(opened, 'late:v1')).additionalStore, store);
  t.is(blobsAsked(), 0);
  const record = join(store, 'images', `${opened.images.find(`${registry.host}/app:v1`)?.id.slice(7)}.json`);
  rmSync(record);
  await pullBy(opened, 'late:v1');
  t.is(opened.images.find(`${registry.host}/app:v1`), undefined);
});

test.serial('records of a newer release, broken ones and images without a layer do not count, and nothing is changed there', async (t) => {
  const [newer, broken, good] = [await filled(t, { newer: ['n'] }), await filled(t, { torn: ['t'], gone: ['g'], well: ['w'] }), await filled(t, { good: ['x'] })];
  const [path = ''] = recordsIn(newer);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"version": 1,', '"version": 99,'));
  for (const each of recordsIn(broken)) {
    const text = readFileSync(each, 'utf8');
    if (text.includes('NAME=torn')) writeFileSync(each, text.slice(0, 100));
    if (text.includes('NAME=gone')) rmSync(join(broken, 'layers', /"sha256:([0-9a-f]{64})": \{/.exec(text)?.[1] ?? ''), { recursive: true });
  }
  const before = [newer, broken].map(recordsIn);
  const { images, logged } = await openedOver(t, newer, broken, good);
  t.deepEqual(images.list().flatMap(({ tags }) => tags).sort(), ['good', 'well'].map((name) => `${registry.host}/${name}:v1`));
  t.true(logged.some((line) => line.includes(newer) && line.includes('schema version 99')), logged.join('\n'));
  t.true(logged.some((line) => line.includes(`${broken}/images/`) && line.includes('does not count')));
  t.deepEqual([newer, broken].map(recordsIn), before);
});

test.serial('an image of ours whose layer lies in a store that is away, or that a container uses, is left out, keeps its own layers, and is back with the store', async (t) => {
  const store = await filled(t, { app: ['shared', 'b'] });
  const opened = await openedOver(t, store);
  serve('other', ['shared', 'own']);
  const image = await pullBy(opened, 'other:v1');
  renameSync(store, `${store}-away`);
  await opened.reopen();
  t.deepEqual(opened.images.list(), []);
  t.is(opened.images.find(image.id), undefined);
  t.is(opened.kept().length, 1);
  renameSync(`${store}-away`, store);
  for (const path of recordsIn(store)) renameSync(path, `${path}.away`);
  opened.users.set(image.id, ['container c']);
  await opened.reopen();
  t.deepEqual([opened.images.list(), opened.kept().length], [[], 1]);
  for (const path of recordsIn(store)) renameSync(path, path.replace('.away', ''));
  registry.seen.length = 0;
  t.deepEqual(await pullBy(opened, 'other:v1'), image);
  t.is(blobsAsked(), 0);
  rmSync(join(store, 'layers'), { recursive: true });
  const whole = await pullBy(opened, 'other:v1');
  t.deepEqual(opened.images.layerPaths(whole).map(dirname), Array(2).fill(join(opened.root, 'layers')));
  t.true(opened.images.layerPaths(whole).every(existsSync));
});
