import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { childrenOf } from './harness/engine.ts';
import { until } from './harness/process.ts';
import { type Random, seeded } from './harness/random.ts';
import { story } from './harness/story.ts';
import { hashOfTree } from './harness/tree.ts';

/** `npm run faults -- pulls` sets 200. */
const kills = Number(process.env['BERTH_PULL_KILLS'] ?? 10);
const [bulk = '', ...small] = ['bulk', 'layers', 'parentless', 'zstd', 'plain'].map((name) => `docker.io/berth/${name}:1`);
/** Every so many kills the large image is pulled too. */
const bulkEvery = 4;

/** In memory: what is killed here is not the machine, so a commit need not wait for a disk that others keep busy. */
const prepare = ({ root }: { root: string }): void => {
  execFileSync('mount', ['-t', 'tmpfs', 'berth-e2e', root]);
};
const stage = story({ images: [], daemon: { prepare } });

const folder = (name: string): string => join(stage().daemon.root, name);
const pull = (image: string): Promise<unknown> => stage().daemon.cri.call('PullImage', { image: { image } }, 120_000);
/** Resolves to how long it took, in milliseconds. */
const pullAll = async (images: readonly string[]): Promise<number> => {
  const from = performance.now();
  await Promise.all(images.map(pull));
  return performance.now() - from;
};
const layersHere = (): Record<string, string> =>
  Object.fromEntries(readdirSync(folder('layers')).sort().map((name) => [name, hashOfTree(join(folder('layers'), name))]));

test(`whatever ${kills} pulls are cut off by the end of daemon and engine, only whole images are listed, and a pull repairs`, async (t) => {
  t.timeout(kills * 60_000);
  const random = seeded(t);
  await pullAll([bulk, ...small]);
  const whole = layersHere();
  const layersOf = await listed();
  t.is(Object.keys(layersOf).length, small.length + 1);
  await removeAll(t);
  const wholeMs = { small: await pullAll(small), all: await pullAll([bulk]) };
  await removeAll(t);
  const seen = { none: 0, some: 0, all: 0 };
  for (let kill = 1; kill <= kills; kill++) {
    const size = kill % bulkEvery === 0 ? 'all' : 'small';
    const images = size === 'all' ? [bulk, ...small] : small;
    const afterMs = random.below(Math.ceil(wholeMs[size]));
    const found = await cutOff(images, random, afterMs);
    const here = layersHere();
    for (const name of found) {
      for (const layer of layersOf[name] ?? ['unknown']) {
        t.is(here[layer], whole[layer], `kill ${kill} after ${afterMs} ms: ${name} is listed, its layer ${layer} is not whole`);
      }
    }
    seen[found.length === 0 ? 'none' : found.length === images.length ? 'all' : 'some']++;
    wholeMs[size] = await pullAll(images);
    const wanted = new Set(images.flatMap((image) => layersOf[image] ?? []));
    t.deepEqual(layersHere(), Object.fromEntries(Object.entries(whole).filter(([layer]) => wanted.has(layer))), `kill ${kill} after ${afterMs} ms: the pull did not repair`);
    await removeAll(t);
  }
  t.log(`${kills} kills: ${seen.none} left no image, ${seen.some} some of them, ${seen.all} all`);
});

/** Pulls all images, ends daemon and engine `afterMs` later, starts the next ones and says which images they list. */
async function cutOff(images: readonly string[], random: Random, afterMs: number): Promise<string[]> {
  const { daemon } = stage();
  const pulls = Promise.allSettled(images.map(pull));
  await sleep(afterMs);
  const victims = [daemon.pid(), ...childrenOf(daemon.pid(), 'berth-engine')];
  if (random.below(2) === 0) victims.reverse();
  for (const pid of victims) process.kill(pid, 'SIGKILL');
  await until(() => !daemon.isRunning(), 10_000, 'the end of the daemon');
  await pulls;
  await daemon.start();
  return Object.keys(await listed());
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

async function removeAll(t: ExecutionContext): Promise<void> {
  for (const image of [bulk, ...small]) await stage().daemon.cri.call('RemoveImage', { image: { image } });
  const left = () => ['layers', 'tmp', 'images'].flatMap((name) => readdirSync(folder(name)));
  await until(() => left().length === 0, 60_000, 'all of the images to be gone').catch(() => undefined);
  t.deepEqual(left(), []);
}
