import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { isKind, type ErrorKind } from '../../api/errors.ts';
import { buildImage, type BuiltImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { startTestRegistry, type Seen, type TestRegistry } from '../fixtures/registry.ts';
import type { Image } from '../records/record.ts';

const never = new AbortController().signal;
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
const pull = (name: string, signal = never): Promise<Image> =>
  opened.images.pull({ reference: `${registry.host}/${name}`, signal });
const layerOf = (built: BuiltImage, i = 1): string => built.blobs[i]?.digest ?? '';
/** Requests for the whole blob, not the first look at it. */
const downloads = (digest: string): Seen[] =>
  registry.seen.filter(({ path, range }) => path.endsWith(digest) && range !== 'bytes=0-0');

test.serial('pulls of the same reference side by side are one pull', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }, { b: '2' }] });
  registry.serve('app', 'v1', built);
  const images = await Promise.all(Array.from({ length: 8 }, () => pull('app:v1')));
  t.is(new Set(images).size, 1);
  t.is(registry.seen.filter(({ path }) => path.includes('/manifests/')).length, 1);
  for (const blob of built.blobs) t.is(downloads(blob.digest).length, 1);
  t.is(opened.counts.get('image_pulls_succeeded'), 1);
});

test.serial('layers are asked for once, where the configuration was served; at a registry that sends elsewhere they are located first', async (t) => {
  const looks = (): Seen[] => registry.seen.filter(({ range }) => range === 'bytes=0-0');
  const direct = buildImage({ layers: [{ a: '1' }, { b: '2' }] });
  registry.serve('app', 'v1', direct);
  await pull('app:v1');
  t.is(looks().length, 0);
  for (const blob of direct.blobs) t.is(downloads(blob.digest).length, 1);

  const sent = buildImage({ layers: [{ c: '3' }, { d: '4' }] });
  registry.serve('app', 'v2', sent);
  registry.serve('cdn', 'v2', sent);
  registry.bend = ({ path }) =>
    path.startsWith('/v2/app/blobs/') ? { status: 307, headers: { location: path.replace('/app/', '/cdn/') } } : undefined;
  await pull('app:v2');
  t.is(looks().filter(({ path }) => path.startsWith('/v2/app/')).length, 2);
  const fetched = registry.seen.filter(({ path, range }) => path.startsWith('/v2/cdn/blobs/') && range === '');
  t.is(fetched.length, 3);
});

test.serial('a layer that two images share is fetched once, also when they are pulled side by side', async (t) => {
  const one = buildImage({ layers: [{ shared: 'x' }, { a: '1' }] });
  const two = buildImage({ layers: [{ shared: 'x' }, { b: '2' }] });
  registry.serve('one', 'v1', one);
  registry.serve('two', 'v1', two);
  registry.bend = async ({ path }) => void (path.includes('/blobs/') && (await sleep(50)));
  const [first, second] = await Promise.all([pull('one:v1'), pull('two:v1')]);
  t.is(downloads(layerOf(one)).length, 1);
  t.deepEqual(opened.images.layerPaths(first).at(-1), opened.images.layerPaths(second).at(-1));
  t.is(opened.kept().length, 3);
  registry.serve('three', 'v1', buildImage({ layers: [{ shared: 'x' }, { b: '2' }, { shared: 'x' }] }));
  const third = await pull('three:v1');
  t.is(opened.counts.get('image_layers_reused'), 2);
  t.is(opened.images.layerPaths(third).length, 2);
});

test.serial('a pull of what is here asks only for the manifest and gives the new name', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }], indexed: true });
  registry.serve('app', 'v1', built);
  registry.serve('app', 'v2', built);
  const first = await pull('app:v1');
  t.is(await pull('app:v1'), first);
  registry.seen.length = 0;
  t.deepEqual(
    (await pull('app:v2')).tags,
    ['v1', 'v2'].map((tag) => `${registry.host}/app:${tag}`),
  );
  t.is(registry.seen.length, 1);
});

test.serial('one caller who gives up does not end the pull of the others; when all do nothing is kept', async (t) => {
  registry.serve('app', 'v1', buildImage({ layers: [{ a: '1' }, { b: '2' }] }));
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  registry.bend = async ({ path, range }) => void (path.includes('/blobs/') && range !== 'bytes=0-0' && (await gate));
  const [a, b] = [new AbortController(), new AbortController()];
  const [first, second] = [pull('app:v1', a.signal), pull('app:v1', b.signal)];
  await sleep(100);
  a.abort();
  t.true(isKind(await t.throwsAsync(first), 'cancelled'));
  await sleep(50);
  const third = pull('app:v1');
  open();
  t.is(await second, await third);
  t.is(opened.counts.get('image_pulls_succeeded'), 1);
});

test.serial('a pull that everybody has given up leaves nothing and can be done again', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }, { b: '2' }] });
  registry.serve('app', 'v1', built);
  registry.bend = async ({ path }) =>
    void (path.endsWith(layerOf(built)) && (await sleep(60_000, undefined, { ref: false })));
  const error = await t.throwsAsync(pull('app:v1', AbortSignal.timeout(300)));
  t.true(isKind(error, 'timeout'), String(error));
  while (opened.kept().length > 0) await sleep(20);
  t.deepEqual(opened.kept(), []);
  registry.bend = () => undefined;
  await pull('app:v1');
});

const refused: [title: string, built: BuiltImage, kind: ErrorKind, message: RegExp][] = [
  [
    'a wrong diffID',
    buildImage({ layers: [{ a: '1' }], diffIds: [`sha256:${'1'.repeat(64)}`] }),
    'inconsistent',
    /sha256:1111/,
  ],
  [
    'fewer layers than diffIDs',
    buildImage({ layers: [{ a: '1' }], diffIds: ['1', '2'].map((c) => `sha256:${c.repeat(64)}`) }),
    'corrupt',
    /1 layers.*2 diff_ids/,
  ],
  [
    'another architecture',
    buildImage({ layers: [{ a: '1' }], architecture: 's390x' }),
    'unsupported',
    /linux\/s390x.*linux\/a/,
  ],
];
for (const [title, built, kind, message] of refused) {
  test.serial(`an image with ${title} is refused and nothing of it is kept`, async (t) => {
    registry.serve('app', 'v1', built);
    const error = await t.throwsAsync(pull('app:v1'), { message });
    t.true(isKind(error, kind), String(error));
    t.deepEqual([opened.kept(), opened.images.list()], [[], []]);
    t.is(opened.counts.get('image_pulls_failed'), 1);
  });
}

for (const which of ['manifest', 'configuration', 'layer'] as const) {
  test.serial(`a ${which} whose bytes do not have its digest is refused and nothing is kept`, async (t) => {
    const built = buildImage({ layers: [{ a: '1' }, { b: '2' }] });
    registry.serve('app', 'v1', built);
    const blob = which === 'manifest' ? built.top : built.blobs[which === 'configuration' ? 0 : 2];
    const changed = Buffer.from(blob?.bytes ?? []);
    changed[changed.length - 12] = (changed[changed.length - 12] ?? 0) ^ 1;
    registry.bend = ({ path, range }) =>
      path.endsWith(blob?.digest ?? '') && range !== 'bytes=0-0'
        ? { status: 200, headers: { 'content-length': `${changed.length}` }, body: changed }
        : undefined;
    const error = await t.throwsAsync(pull(which === 'manifest' ? `app@${built.top.digest}` : 'app:v1'));
    t.true(isKind(error, 'corrupt'), String(error));
    t.deepEqual([opened.kept(), opened.images.list()], [[], []]);
  });
}

test.serial('a connection that breaks in the middle of a layer is gone on with', async (t) => {
  const built = buildImage({ layers: [{ a: 'x'.repeat(100_000) }], compression: 'none' });
  registry.serve('app', 'v1', built);
  let broken = 0;
  registry.bend = ({ path, range }) =>
    path.endsWith(layerOf(built)) && range !== 'bytes=0-0' && broken++ === 0
      ? {
          status: 200,
          headers: { 'content-length': `${built.blobs[1]?.bytes.length}` },
          body: built.blobs[1]?.bytes ?? '',
          closeAfter: 50_000,
        }
      : undefined;
  await pull('app:v1');
  t.is(downloads(layerOf(built)).length, 2);
});

test.serial('an engine that dies during a pull is replaced, the pull succeeds and nothing half unpacked is kept', async (t) => {
  const built = buildImage({ layers: [{ a: 'x'.repeat(300_000) }], compression: 'none' });
  registry.serve('app', 'v1', built);
  const body = built.blobs[1]?.bytes ?? Buffer.alloc(0);
  let killed = false;
  registry.bend = ({ path, range }) => {
    if (killed || !path.endsWith(layerOf(built)) || range === 'bytes=0-0') return undefined;
    killed = true;
    void untilUnpacking().then(() => process.kill(opened.engine.pid(), 'SIGKILL'));
    return { status: 200, headers: { 'content-length': `${body.length}` }, body: body.subarray(0, 200_000), stall: true };
  };
  await pull('app:v1');
  t.true(killed);
  t.is(opened.counts.get('engine_restarts'), 1);
  t.deepEqual(opened.kept(), [`layers/${built.diffIds[0]?.replace('sha256:', '')}`]);
});

async function untilUnpacking(): Promise<void> {
  while (!opened.kept().some((name) => name.startsWith('tmp/'))) await sleep(5);
}
