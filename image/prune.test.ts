import test from 'ava';
import { buildImage } from './fixtures/image.ts';
import { openTestImages, type Opened } from './fixtures/opened.ts';
import { startTestRegistry, type TestRegistry } from './fixtures/registry.ts';

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
const pull = async (name: string, ...files: string[]) => {
  registry.serve(name, 'v1', buildImage({ layers: files.map((file) => ({ [file]: file })), env: [`NAME=${name}`] }));
  return await opened.images.pull({ reference: `${registry.host}/${name}:v1`, signal });
};

test.serial('pruning removes what nobody uses and tells what went; shared layers stay, and the usage is that of what is left', async (t) => {
  const kept = await pull('kept', 'shared', 'own');
  const alone = opened.images.usage();
  const gone = await pull('gone', 'shared', 'other');
  const both = opened.images.usage();
  opened.users.set(kept.id, ['container c']);
  const pruned = await opened.images.prune(() => true);
  t.deepEqual(pruned.map(({ image }) => image.id), [gone.id]);
  t.is(pruned[0]?.freed.usedBytes, both.usedBytes - alone.usedBytes);
  t.deepEqual(opened.images.usage(), alone);
  t.deepEqual(opened.images.list(), [kept]);
  t.deepEqual(opened.events.at(-1)?.type, 'image.removed');
  opened.users.clear();
  await opened.images.prune(() => true);
  t.deepEqual(opened.images.usage(), { ...alone, usedBytes: 0n, inodes: 0n });
});

test.serial('an image that a create in flight holds is not pruned, nor one that is not wanted any more', async (t) => {
  const image = await pull('app', 'a');
  const release = opened.images.lease(image.id);
  t.deepEqual(await opened.images.prune(() => true), []);
  t.deepEqual(opened.images.holders(image), ['a container that is being created, or a save']);
  release();
  t.deepEqual(await opened.images.prune(() => false), []);
  t.is((await opened.images.prune(() => true)).length, 1);
});

test.serial('a pull that finds its image here tells of it anew, also after a restart', async (t) => {
  const image = await pull('app', 'a');
  await opened.reopen();
  t.is(opened.images.toldAtNs(image), image.pulledAtNs);
  const beforeNs = BigInt(Date.now()) * 1_000_000n;
  t.is((await pull('app', 'a')).pulledAtNs, image.pulledAtNs);
  t.true(opened.images.toldAtNs(image) >= beforeNs);
});

test.serial('what is counted is what the layers take on the disk', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `${'long-'.repeat(20)}${i}`);
  await pull('one', ...names.slice(0, 3));
  await pull('two', ...names.slice(3));
  const { path, usedBytes, inodes } = opened.images.usage();
  const paths = opened.kept().filter((name) => name.startsWith('layers/')).map((name) => `${opened.root}/${name}`);
  const { usage } = await opened.engine.call('diskUsage', { paths });
  t.is(path, `${opened.root}/layers`);
  t.is(usedBytes, usage.reduce((sum, one) => sum + BigInt(one?.bytes ?? 0), 0n));
  t.is(inodes, usage.reduce((sum, one) => sum + BigInt(one?.inodes ?? 0), 0n));
});
