import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import { digestOf } from '../manifest/digest.ts';
import { buildArtifact, buildImage, buildIndex, type BuiltImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { startTestRegistry, type TestRegistry } from '../fixtures/registry.ts';
import type { Platform } from '../manifest/manifest.ts';
import type { Image } from '../records/record.ts';

type Stage = Opened & { registry: TestRegistry; pull(image: BuiltImage, platform?: Platform): Promise<Image> };

async function stage(t: ExecutionContext): Promise<Stage> {
  const [opened, registry] = await Promise.all([openTestImages(), startTestRegistry()]);
  t.teardown(async () => {
    registry.close();
    await opened.close();
  });
  const pull = (image: BuiltImage, platform?: Platform): Promise<Image> => {
    registry.serve('a/b', '1', image);
    return opened.images.pull({ reference: `${registry.host}/a/b:1`, ...(platform && { platform }), signal: new AbortController().signal });
  };
  return Object.assign(opened, { registry, pull });
}

/** The files of an image as its volume shows them: the topmost layer wins. */
function filesOf({ images }: Stage, image: Image): Record<string, string> {
  const files: Record<string, string> = {};
  for (const layer of images.layerPaths(image).toReversed()) {
    for (const entry of readdirSync(layer, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files[path.slice(layer.length + 1)] = readFileSync(path, 'utf8');
    }
  }
  return files;
}

const type = 'application/vnd.example.model';
const weights = { 'weights.bin': 'many numbers', 'docs/README.md': '# read me' };

test('an artifact is pulled as its files by title, each as it is, and known by its manifest', async (t) => {
  const s = await stage(t);
  const tarball = gzipSync('not unpacked').toString('latin1');
  const artifact = buildArtifact(type, { ...weights, 'layer.tar.gz': tarball, '': 'a blob without title' });
  const image = await s.pull(artifact);
  t.deepEqual(filesOf(s, image), { ...weights, 'layer.tar.gz': tarball });
  t.like(image, { id: artifact.top.digest, artifactType: type, tags: [`${s.registry.host}/a/b:1`], digests: [`${s.registry.host}/a/b@${artifact.top.digest}`] });
  t.is(image.sizeBytes, BigInt(2 + Buffer.byteLength(Object.values(weights).join('')) + Buffer.byteLength(tarball)));
});

test('artifacts outlive a restart, share equal files, and go like images', async (t) => {
  const s = await stage(t);
  const first = await s.pull(buildArtifact(type, weights));
  const second = await s.pull(buildArtifact(type, { ...weights, more: 'more' }));
  t.not(first.id, second.id);
  t.is(s.kept().length, 3);
  await s.reopen();
  t.deepEqual(s.images.find(second.id), second);
  t.deepEqual(filesOf(s, second), { ...weights, more: 'more' });
  await s.images.remove(second.id);
  await s.images.remove(first.id);
  await s.images.close();
  t.deepEqual(s.images.list(), []);
});

test('an artifact that refers to another image, and one in an index, are pulled', async (t) => {
  const s = await stage(t);
  const image = buildImage({ layers: [{ f: '1' }] });
  t.deepEqual(filesOf(s, await s.pull(buildArtifact(type, { sbom: '{}' }, image))), { sbom: '{}' });
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const index = buildIndex([{ architecture: 's390x', image: buildArtifact(type, { wrong: '' }) }, { architecture, image: buildArtifact(type, { right: 'yes' }) }]);
  t.deepEqual(filesOf(s, await s.pull(index)), { right: 'yes' });
});

test('the same bytes under another title are another file', async (t) => {
  const s = await stage(t);
  t.deepEqual(filesOf(s, await s.pull(buildArtifact(type, { one: 'same' }))), { one: 'same' });
  t.deepEqual(filesOf(s, await s.pull(buildArtifact(type, { two: 'same' }))), { two: 'same' });
});

for (const title of ['../outside', '/etc/passwd', 'a/../../b', 'a//b', './a', '.wh.gone', 'd/.wh..wh..opq', 'a\0b']) {
  test(`an artifact whose file has the title ${JSON.stringify(title)} is refused`, async (t) => {
    const s = await stage(t);
    const error = await t.throwsAsync(s.pull(buildArtifact(type, { [title]: 'x' })));
    t.true(isKind(error, 'corrupt') && /which is no path of a file/.test(error.message), String(error));
    t.deepEqual(s.kept(), []);
  });
}

test('an artifact without a titled file is refused with its type', async (t) => {
  const s = await stage(t);
  const error = await t.throwsAsync(s.pull(buildArtifact(type, { '': 'x' })));
  t.true(isKind(error, 'unsupported') && error.message.includes(type), String(error));
});

test('a file of an artifact that is not what its digest says is refused, and nothing of it is kept', async (t) => {
  const s = await stage(t);
  const artifact = buildArtifact(type, weights);
  const digest = digestOf(Buffer.from(weights['weights.bin']));
  s.registry.bend = ({ path, range }) => (path.endsWith(digest) && range !== 'bytes=0-0' ? { status: 200, headers: { 'content-length': '12' }, body: 'other number' } : undefined);
  t.true(isKind(await t.throwsAsync(s.pull(artifact)), 'corrupt'));
  t.deepEqual(s.images.list(), []);
});

test('indexes in indexes are followed, deeper ones are refused', async (t) => {
  const s = await stage(t);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const nested = (image: BuiltImage): BuiltImage => buildIndex([{ architecture, image }]);
  const image = buildImage({ layers: [{ f: 'deep' }] });
  t.is((await s.pull(nested(nested(image)))).id, image.id);
  const error = await t.throwsAsync(s.pull(nested(nested(nested(image)))));
  t.true(isKind(error, 'unsupported') && /nested deeper/.test(error.message), String(error));
});

test('another platform than this machine\'s is pulled when it is asked for, and both stay side by side', async (t) => {
  const s = await stage(t);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const [own, other] = [buildImage({ layers: [{ f: 'own' }] }), buildImage({ layers: [{ f: 'other' }], architecture: 's390x' })];
  const index = buildIndex([{ architecture, image: own }, { architecture: 's390x', image: other }]);
  t.is((await s.pull(index)).id, own.id);
  const platform = { os: 'linux', architecture: 's390x', variant: '' };
  t.is((await s.pull(index, platform)).id, other.id);
  t.is((await s.pull(index)).id, own.id);
  t.deepEqual(new Set(s.images.list().map(({ id }) => id)), new Set([own.id, other.id]));
});
