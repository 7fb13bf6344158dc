import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { childrenOf } from './harness/engine.ts';
import { textOf } from './harness/files.ts';
import { until } from './harness/process.ts';
import { seeded } from './harness/random.ts';
import { story } from './harness/story.ts';
import { hashOfTree } from './harness/tree.ts';
import { mountVolatileDisk, type VolatileDisk } from './harness/volatile-disk.ts';

/** `npm run faults -- power` sets 100. */
const cuts = Number(process.env['BERTH_POWER_CUTS'] ?? 4);
const [bulk = '', ...small] = ['bulk', 'layers', 'zstd', 'plain'].map((name) => `docker.io/berth/${name}:1`);
const all = [bulk, ...small];
/** Every so many cuts the large image is pulled too. */
const bulkEvery = 4;

let disk: VolatileDisk | undefined;
const stage = story({
  images: [],
  daemon: {
    prepare: (paths) => {
      disk = mountVolatileDisk(paths, 512 << 20);
    },
  },
});
const pull = (image: string): Promise<unknown> => stage().daemon.cri.call('PullImage', { image: { image } }, 120_000);
/** Resolves to how long it took, in milliseconds. */
const pullAll = async (images: readonly string[]): Promise<number> => {
  const from = performance.now();
  await Promise.all(images.map(pull));
  return performance.now() - from;
};
const remove = (image: string): Promise<unknown> => stage().daemon.cri.call('RemoveImage', { image: { image } });
const recordsIn = (root: string): string[] => readdirSync(join(root, 'images')).filter((name) => name.endsWith('.json'));
const layersIn = (root: string): Record<string, string> =>
  Object.fromEntries(readdirSync(join(root, 'layers')).sort().map((name) => [name, hashOfTree(join(root, 'layers', name))]));

test.serial('an image that a pull has answered is whole when the power fails at once, whatever else is lost, and one removed is gone', async (t) => {
  const { root } = stage().daemon;
  await pull(bulk);
  const [records, layers] = [recordsIn(root), layersIn(root)];
  t.is(records.length, 1);
  disk?.cut();
  disk?.look((left) => t.deepEqual([recordsIn(left), layersIn(left)], [records, layers]));
  await remove(bulk);
  disk?.cut();
  disk?.look((left) => t.deepEqual(recordsIn(left), []));
});

test.serial(`after each of ${cuts} power cuts in the middle of pulls only whole images are listed, and a pull repairs`, async (t) => {
  t.timeout(cuts * 120_000);
  const { daemon } = stage();
  const random = seeded(t);
  const wholeMs = { bulk: await pullAll([bulk]), small: await pullAll(small) };
  const whole = layersIn(daemon.root);
  const layersOf = await listed();
  const seen = { none: 0, some: 0, all: 0 };
  for (let cut = 1; cut <= cuts; cut++) {
    for (const image of all) await remove(image);
    const size = cut % bulkEvery === 0 ? 'bulk' : 'small';
    const images = size === 'bulk' ? all : small;
    const afterMs = random.below(Math.ceil(wholeMs[size]));
    const pulls = pullAll(images);
    await sleep(afterMs);
    disk?.cut();
    wholeMs[size] = await pulls;
    await endAll();
    disk?.restore();
    await daemon.start();
    const found = Object.keys(await listed());
    const here = layersIn(daemon.root);
    for (const name of found) {
      for (const layer of layersOf[name] ?? ['unknown']) t.is(here[layer], whole[layer], `cut ${cut} after ${afterMs} ms: ${name} is listed, its layer ${layer} is not whole`);
    }
    seen[found.length === 0 ? 'none' : found.length === images.length ? 'all' : 'some']++;
    await pullAll(images);
    const wanted = new Set(images.flatMap((image) => layersOf[image] ?? []));
    t.deepEqual(layersIn(daemon.root), Object.fromEntries(Object.entries(whole).filter(([layer]) => wanted.has(layer))), `cut ${cut} after ${afterMs} ms: the pull did not repair`);
  }
  for (const image of all) await remove(image);
  t.log(`${cuts} power cuts: ${seen.none} left no image, ${seen.some} some of them, ${seen.all} all`);
});

test.serial('a disk that says that it has flushed, and has not, is seen to lose the image: what is cut is what was not flushed', async (t) => {
  disk?.turnDeaf();
  await pull(small[0] ?? '');
  t.is(recordsIn(stage().daemon.root).length, 1);
  disk?.cut();
  disk?.look((left) => t.deepEqual(recordsIn(left), []));
});

/** Daemon and engine have ended, and hold no file any more. */
async function endAll(): Promise<void> {
  const { daemon } = stage();
  const engines = childrenOf(daemon.pid(), 'berth-engine');
  await daemon.kill();
  const isAlive = (pid: number): boolean => /^State:\t[^Z]/m.test(textOf(`/proc/${pid}/status`));
  await until(() => !engines.some(isAlive), 60_000, 'the end of the engine');
}

/** The layers of each image that is listed, by its tag. */
async function listed(): Promise<Record<string, string[]>> {
  const { cri } = stage().daemon;
  const found = (await cri.call('ListImages', {})).images.map(({ repo_tags: [tag = ''] }) => tag);
  const layers = found.map(async (image) => {
    const { info } = await cri.call('ImageStatus', { image: { image }, verbose: true });
    const { imageSpec } = JSON.parse(info['info'] ?? '{}') as { imageSpec: { rootfs: { diff_ids: string[] } } };
    return [image, imageSpec.rootfs.diff_ids.map((diffId) => diffId.slice('sha256:'.length))] as const;
  });
  return Object.fromEntries(await Promise.all(layers));
}
