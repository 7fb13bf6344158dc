import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import test from 'ava';
import { imageStore } from './images/store.ts';
import { below } from './harness/files.ts';
import { story } from './harness/story.ts';

const corrupt = 'berth/corrupt:1';
const truncated = 'library/busybox:latest';
const { digests } = await imageStore();
const stage = story({ images: [], storage: tamper });

/** A copy of the registry's storage in which the last layer of two images is not what its digest says. */
function tamper(storage: string, directory: string): string {
  const copy = join(directory, 'storage');
  execFileSync('cp', ['-al', storage, copy]);
  rewrite(copy, digests[corrupt]?.blobs.at(-1) ?? '', (bytes) =>
    Buffer.from(bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))),
  );
  return copy;
}

function rewrite(storage: string, digest: string, change: (bytes: Buffer) => Buffer): void {
  const hex = digest.replace('sha256:', '');
  const path = join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  const bytes = readFileSync(path);
  rmSync(path);
  writeFileSync(path, change(bytes));
}

/** Everything below the root that is no lock and no log. */
function kept(root: string): string[] {
  return below(root)
    .filter(({ path, isDirectory }) => !isDirectory && !/\.(db|lock|log)(-wal|-shm|-journal)?$/.test(path))
    .map(({ path }) => path);
}

for (const [image, why, message] of [
  [corrupt, 'a layer whose bytes are not its digest', /digest|checksum|sha256/i],
  ['berth/false-diffid:1', 'a layer whose unpacked bytes are not the diffID of the configuration', /diff/i],
  ['berth/foreign:1', 'a list without this platform', /platform|architecture|linux\//i],
  ['berth/foreign-single:1', 'an image for another architecture', /platform|architecture|linux\//i],
] as const) {
  test(`${why} is refused and nothing of it is kept`, async (t) => {
    const { daemon } = stage();
    const before = kept(daemon.root);
    await t.throwsAsync(daemon.cri.call('PullImage', { image: { image: `docker.io/${image}` } }), { message });
    t.is((await daemon.cri.call('ImageStatus', { image: { image: `docker.io/${image}` } })).image, null);
    t.deepEqual((await daemon.cri.call('ListImages', {})).images, []);
    t.deepEqual(
      kept(daemon.root)
        .filter((path) => !before.includes(path))
        .slice(0, 10),
      [],
    );
  });
}

test('a layer that ends too early is refused and nothing of it is kept, and a later whole one is taken', async (t) => {
  const { daemon, registry } = stage();
  const image = { image: `docker.io/${truncated}` };
  const before = kept(daemon.root);
  const storage = registry.storage;
  const layer = digests[truncated]?.blobs.at(-1) ?? '';
  let whole: Buffer = Buffer.alloc(0);
  rewrite(storage, layer, (bytes) => {
    whole = bytes;
    return bytes.subarray(0, bytes.length / 2);
  });
  await t.throwsAsync(daemon.cri.call('PullImage', { image }));
  t.deepEqual(
    kept(daemon.root)
      .filter((path) => !before.includes(path))
      .slice(0, 10),
    [],
  );
  rewrite(storage, layer, () => whole);
  await daemon.cri.call('PullImage', { image });
  t.not((await daemon.cri.call('ImageStatus', { image })).image, null);
  await daemon.cri.call('RemoveImage', { image });
});
