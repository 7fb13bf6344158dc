import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { tarHeader } from '../../host/tar.ts';
import { blobPath, dockerOf, type Files, layoutOf, pieces, tarOf } from '../fixtures/archive.ts';
import { digestOf } from '../manifest/digest.ts';
import { buildArtifact, buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import type { Image } from '../records/record.ts';

const signal = new AbortController().signal;
let opened: Opened;
test.beforeEach(async () => {
  opened = await openTestImages();
});
test.afterEach.always(() => opened.close());

const load = (files: Files | AsyncIterable<Buffer>, name = ''): Promise<Image[]> =>
  opened.images.load({ archive: Symbol.asyncIterator in files ? (files as AsyncIterable<Buffer>) : tarOf(files as Files), name, signal });
const read = (image: Image, layer: number, name: string): string => readFileSync(join(opened.images.layerPaths(image).toReversed()[layer] ?? '', name), 'utf8');

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  test.serial(`an OCI layout and a Docker archive with ${compression} layers load as the image that they hold`, async (t) => {
    const built = buildImage({ layers: [{ a: 'one' }, { b: 'two' }], compression, indexed: true });
    const [image] = await load(layoutOf(built, { 'org.opencontainers.image.ref.name': 'docker.io/library/app:v1' }));
    t.is(image?.id, built.id);
    t.deepEqual(image?.tags, ['docker.io/library/app:v1']);
    t.deepEqual(image?.digests, [`docker.io/library/app@${built.top.digest}`]);
    t.deepEqual([read(image!, 0, 'a'), read(image!, 1, 'b')], ['one', 'two']);
    await opened.images.remove(built.id);
    t.deepEqual(opened.kept().filter((name) => name.startsWith('layers/')), []);
    const [again] = await load(dockerOf(built, ['app:v2', 'quay.io/app:3']));
    t.is(again?.id, built.id);
    t.deepEqual([again?.tags, again?.digests], [['docker.io/library/app:v2', 'quay.io/app:3'], []]);
    t.is(read(again!, 1, 'b'), 'two');
    await opened.reopen();
    t.deepEqual(opened.images.list().map(({ id }) => id), [built.id]);
    while (readdirSync(join(opened.root, 'tmp')).length > 0) await sleep(20);
  });
}

test.serial('an archive that names no image loads it by its id, or as the name that is given', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }] });
  const [unnamed] = await load(layoutOf(built, { 'org.opencontainers.image.ref.name': 'latest' }));
  t.deepEqual([unnamed?.tags, unnamed?.digests], [[], []]);
  t.is(opened.images.find(built.id)?.id, built.id);
  const [named] = await load(dockerOf(built, null), 'team/app:1');
  t.deepEqual(named?.tags, ['docker.io/team/app:1']);
  t.is(opened.images.list().length, 1);
});

test.serial('two images in one archive both load, and cannot both get one name', async (t) => {
  const [one, other] = [buildImage({ layers: [{ a: '1' }] }), buildImage({ layers: [{ a: '1' }, { b: '2' }] })];
  const indexes = [layoutOf(one), layoutOf(other)].map((files) => JSON.parse(String(files['index.json'])) as { manifests: object[] });
  const files = { ...layoutOf(one), ...layoutOf(other), 'index.json': JSON.stringify({ schemaVersion: 2, manifests: indexes.flatMap(({ manifests }) => manifests) }) };
  await t.throwsAsync(load(files, 'app'), { message: /holds 2 images, which cannot all be named app/ });
  t.deepEqual((await load(files)).map(({ id }) => id), [one.id, other.id]);
});

test.serial('links of older Docker archives lead to the layers that they share', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }, { a: '1' }], compression: 'none' });
  const { '1/layer.tar': _, ...files } = dockerOf(built, ['app:1']);
  const link = tarHeader('1/layer.tar', 0);
  link.write('2', 156);
  link.write('../0/layer.tar', 157);
  const sum = link.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  link.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const chunks: Buffer[] = [link];
  for await (const chunk of tarOf(files)) chunks.push(chunk);
  const [image] = await load(
    (async function* () {
      yield* chunks;
    })(),
  );
  t.is(image?.id, built.id);
});

test.serial('what does not have its digest, its size or its diffID is refused, and nothing of it stays', async (t) => {
  const built = buildImage({ layers: [{ a: 'content' }], compression: 'none' });
  const layer = built.blobs[1]!;
  const other = buildImage({ layers: [{ a: 'CONTENT' }], compression: 'none' }).blobs[1]!.bytes;
  const files = layoutOf(built);
  const cases: [Files, RegExp][] = [
    [{ ...files, [blobPath(layer.digest)]: other }, /should be sha256:/],
    [{ ...files, [blobPath(layer.digest)]: layer.bytes.subarray(0, 512) }, /should have \d+ bytes, the archive has 512/],
    [{ ...files, [blobPath(built.top.digest)]: '{}' }, /the archive has sha256:\S+ in place of the blob/],
    [{ ...files, [blobPath(built.id)]: '{}' }, /in place of the blob|has \d+ bytes/],
    [layoutOf(buildImage({ layers: [{ a: '1' }], diffIds: [digestOf('lie')] })), /diffID should be/],
    [dockerOf(buildImage({ layers: [{ a: '1' }], diffIds: [digestOf('lie')], compression: 'none' }), null), /should be/],
    [dockerOf(buildImage({ layers: [{ a: '1' }], diffIds: [] }), null), /1 layers, its configuration 0/],
    [layoutOf(buildImage({ layers: [{ a: '1' }], architecture: 's390x' })), /s390x/],
  ];
  for (const [bad, message] of cases) {
    const error = await t.throwsAsync(load(bad), { message });
    t.regex(error?.message ?? '', /^cannot load the archive: /);
    t.deepEqual([opened.images.list(), opened.kept()], [[], []], message.source);
  }
});

test.serial('what is no archive of an image is refused with what is missing', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }] });
  const { 'oci-layout': _, ...unmarked } = layoutOf(built);
  const { [blobPath(built.id)]: __, ...incomplete } = layoutOf(built);
  const cases: [Files, RegExp][] = [
    [{ a: '1' }, /neither index\.json \(OCI layout\) nor manifest\.json \(Docker\)/],
    [unmarked, /no OCI layout of version 1/],
    [{ ...unmarked, 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' }, /no OCI layout of version 1/],
    [incomplete, /lacks the blob sha256:/],
    [{ ...layoutOf(built), 'index.json': 'x' }, /index\.json is no JSON/],
    [{ ...layoutOf(built), 'index.json': '{"manifests":[{"digest":"../../etc/passwd"}]}' }, /lacks the blob \.\.\/\.\.\/etc\/passwd/],
    [{ 'manifest.json': '[{"Config":"../../../etc/passwd","Layers":[]}]' }, /lacks the file "\.\.\/\.\.\/\.\.\/etc\/passwd"/],
    [{ 'manifest.json': '{}' }, /manifest\.json is no list/],
    [{ ...dockerOf(built, ['Not A Name']) }, /Not A Name/],
    [layoutOf(buildArtifact('application/x-test', { f: '1' })), /holds an artifact \(application\/x-test\): artifacts are pulled from registries alone/],
    [{}, /holds no file/],
  ];
  for (const [files, message] of cases) await t.throwsAsync(load(files), { message });
  const whole: Buffer[] = [];
  for await (const chunk of tarOf(layoutOf(built))) whole.push(chunk);
  const bytes = Buffer.concat(whole);
  for (const damaged of [bytes.subarray(0, 1000), Buffer.from(bytes).fill(0xff, 0, 100), Buffer.from('hello'), Buffer.alloc(0)]) {
    await t.throwsAsync(load((async function* () { yield damaged; })()), { message: /^cannot load the archive: / });
  }
  t.deepEqual([opened.images.list(), opened.kept()], [[], []]);
});

test.serial('damage at any place of an archive is refused or harms nothing', async (t) => {
  const built = buildImage({ layers: [{ a: '1' }], compression: 'none' });
  const whole: Buffer[] = [];
  for await (const chunk of tarOf(layoutOf(built))) whole.push(chunk);
  const bytes = Buffer.concat(whole);
  for (let at = 3; at < bytes.length; at += 401) {
    const damaged = Buffer.from(bytes);
    damaged[at] = damaged[at]! ^ 0x15;
    await load((async function* () { yield damaged; })()).catch((error: unknown) => t.false(isKind(error, 'internal'), String(error)));
    for (const image of opened.images.list()) {
      t.is(image.id, built.id);
      t.is(read(image, 0, 'a'), '1');
      await opened.images.remove(image.id);
    }
  }
  t.deepEqual(opened.kept().filter((name) => name.startsWith('layers/')), []);
});

test.serial('a load that is given up, and an archive that breaks off, leave nothing', async (t) => {
  const abort = new AbortController();
  const endless = async function* () {
    yield tarHeader('a', 1000);
    abort.abort(new Error('gone'));
    await new Promise(() => undefined);
  };
  await t.throwsAsync(opened.images.load({ archive: endless(), name: '', signal: abort.signal }), { message: /gone/ });
  const broken = async function* () {
    yield tarHeader('a', 1000);
    throw new Error('the client is gone');
  };
  await t.throwsAsync(load(broken()), { message: /the client is gone/ });
  t.deepEqual(opened.kept(), []);
});

test.serial('what is saved loads with the same content, and saved again it has the same bytes', async (t) => {
  const built = buildImage({ layers: [{ a: 'one', 'd/e': 'deep' }, { b: 'two' }], env: ['A=b'] });
  await load(layoutOf(built, { 'org.opencontainers.image.ref.name': 'quay.io/app:1' }));
  const save = async (): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of opened.images.save(['quay.io/app:1'], signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const first = await save();
  t.deepEqual(readdirSync(join(opened.root, 'tmp')), []);
  t.deepEqual(opened.images.holders(opened.images.list()[0]!), []);
  await opened.images.remove(built.id);
  const [image] = await load((async function* () { yield* pieces(first); })());
  t.deepEqual(image?.tags, ['quay.io/app:1']);
  t.deepEqual(image?.config.env, ['A=b']);
  t.deepEqual(image?.annotations, { k: 'v' });
  t.deepEqual([read(image!, 0, 'a'), read(image!, 0, 'd/e'), read(image!, 1, 'b')], ['one', 'deep', 'two']);
  t.true((await save()).equals(first));
});

test.serial('an image is kept while it is saved, and a save that is given up leaves nothing', async (t) => {
  const built = buildImage({ layers: [{ a: 'one' }] });
  await load(layoutOf(built, { 'io.containerd.image.name': 'quay.io/app:1' }));
  const saving = opened.images.save([built.id], signal)[Symbol.asyncIterator]();
  await saving.next();
  await t.throwsAsync(opened.images.remove(built.id), { message: /is used by .*a save/ });
  await saving.return?.();
  t.deepEqual(readdirSync(join(opened.root, 'tmp')), []);
  await opened.images.remove(built.id);
  t.throws(() => opened.images.save(['quay.io/app:1'], signal), { message: /image quay\.io\/app:1 is not here/ });
});
