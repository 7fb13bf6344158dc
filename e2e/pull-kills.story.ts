import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { type Victim, victims } from './faults/order.ts';
import { serveByMirrors, type Mirrored } from './harness/mirrored.ts';
import { childrenOf } from './harness/engine.ts';
import { until } from './harness/process.ts';
import { seeded } from './harness/random.ts';
import { story } from './harness/story.ts';
import { hashOfTree } from './harness/tree.ts';

/** `npm run faults -- pulls` sets 200. */
const kills = Number(process.env['BERTH_PULL_KILLS'] ?? 10);
const [bulk = '', ...small] = ['bulk', 'layers', 'parentless', 'zstd', 'plain'].map((name) => `docker.io/berth/${name}:1`);
/** One layer of ten parts, by two mirrors whose wires are so slow that it is fetched by ranges side by side. */
const wide = 'docker.io/berth/wide:1';
const large = [bulk, wide];
const all = [...large, ...small];
/** Every so many kills the large images are pulled too. */
const largeEvery = 3;

/** In memory: what is killed here is not the machine, so a commit need not wait for a disk that others keep busy. */
const prepare = ({ root }: { root: string }): void => {
  execFileSync('mount', ['-t', 'tmpfs', 'berth-e2e', root]);
};
const stage = story({ images: [], daemon: { prepare } });
let mirrored: Mirrored | undefined;
test.before('an image is there by mirrors only', async () => {
  mirrored = await serveByMirrors(stage().daemon, { repository: 'berth/wide', sizeBytes: 40 << 20, bytesPerSecond: 10 << 20 });
});
test.after.always('the mirrors end', () => mirrored?.close());

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

test(`whatever ${kills} pulls are cut off by the end of daemon, engine or both, only whole images are listed, and a pull repairs`, async (t) => {
  t.timeout(kills * 60_000);
  const random = seeded(t);
  await pullAll(all);
  t.true((mirrored?.ranges() ?? 0) > 4, 'the wide layer came by ranges');
  const whole = layersHere();
  const layersOf = await listed();
  t.is(Object.keys(layersOf).length, all.length);
  await removeAll(t);
  const wholeMs = { small: await pullAll(small), all: await pullAll(large) };
  await removeAll(t);
  const seen = { none: 0, some: 0, all: 0 };
  const killed = { daemon: 0, engine: 0, both: 0 };
  for (let kill = 1; kill <= kills; kill++) {
    const size = kill % largeEvery === 0 ? 'all' : 'small';
    const images = size === 'all' ? all : small;
    const afterMs = random.below(Math.ceil(wholeMs[size]));
    const victim = random.of(victims);
    const told = `kill ${kill} of ${victim} after ${afterMs} ms`;
    await mirrored?.renew();
    // The first mirror goes in the middle of some of the pulls.
    const cut = random.below(2) === 0 ? sleep(random.below(afterMs + 1)).then(() => mirrored?.cutFirst()) : undefined;
    const found = await cutOff(t, images, { victim, afterMs, told });
    await cut;
    const here = layersHere();
    for (const name of found) {
      for (const layer of layersOf[name] ?? ['unknown']) t.is(here[layer], whole[layer], `${told}: ${name} is listed, its layer ${layer} is not whole`);
    }
    seen[found.length === 0 ? 'none' : found.length === images.length ? 'all' : 'some']++;
    killed[victim]++;
    const ms = await pullAll(images);
    if (found.length === 0) wholeMs[size] = ms;
    const wanted = new Set(images.flatMap((image) => layersOf[image] ?? []));
    t.deepEqual(layersHere(), Object.fromEntries(Object.entries(whole).filter(([layer]) => wanted.has(layer))), `${told}: the pull did not repair`);
    await removeAll(t);
  }
  t.log(`${kills} kills (${killed.daemon} of the daemon, ${killed.engine} of the engine, ${killed.both} of both): ${seen.none} left no image, ${seen.some} some of them, ${seen.all} all`);
});

/** Pulls all images, ends the victim `afterMs` later, and says which images are listed by the daemon that runs then. */
async function cutOff(
  t: ExecutionContext,
  images: readonly string[],
  { victim, afterMs, told }: { victim: Victim; afterMs: number; told: string },
): Promise<string[]> {
  const { daemon } = stage();
  const pulls = Promise.allSettled(images.map(pull));
  await sleep(afterMs);
  const engines = childrenOf(daemon.pid(), 'berth-engine');
  const doomed = { daemon: [daemon.pid()], engine: engines, both: [...engines, daemon.pid()], shim: [] }[victim];
  for (const pid of doomed) process.kill(pid, 'SIGKILL');
  if (victim !== 'engine') {
    await until(() => !daemon.isRunning(), 10_000, 'the end of the daemon');
    await pulls;
    await daemon.start();
  }
  const failed = (await pulls).flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
  if (victim === 'engine') t.deepEqual(failed, [], `${told}: the pulls go on with the next engine`);
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
  for (const image of all) await stage().daemon.cri.call('RemoveImage', { image: { image } });
  const left = () => ['layers', 'tmp', 'images'].flatMap((name) => readdirSync(folder(name)));
  await until(() => left().length === 0, 60_000, 'all of the images to be gone').catch(() => undefined);
  t.deepEqual(left(), []);
}
