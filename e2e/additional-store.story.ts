import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type Daemon, startDaemon } from './harness/daemon.ts';
import { endDaemon } from './harness/end.ts';
import { namesIn, textOf } from './harness/files.ts';
import { type HangingFolder, hangingFolder } from './harness/hanging.ts';
import { leaks, traces } from './harness/leaks.ts';
import { busybox, containerConfig, createContainer, exec, removePod, runPod, runScript, statusOf } from './harness/pod.ts';
import { registriesConf } from './harness/registry.ts';
import { story } from './harness/story.ts';

const data = 'docker.io/berth/data:1';
const sharing = 'gcr.io/k8s-staging-cri-tools/test-image-1:latest';
const stage = story({ images: [busybox, data] });
const folder = mkdtempSync(join(tmpdir(), 'berth-additional-'));
const store = join(folder, 'store');

/** The daemon that has the first one's root as an additional store, on a read-only mount, and no registry to ask. */
let node: Daemon;
let hanging: HangingFolder;
let filled: string;
let baseline: ReadonlySet<string>;

/** Every file below the store with its times, size and inode; the daemon's own sockets and locks are not the store's. */
const listing = (): string =>
  execFileSync('find', ['images', 'layers', '-printf', '%p %T@ %C@ %s %i %m\n'], { cwd: stage().daemon.root, encoding: 'utf8', maxBuffer: 64 << 20 }).split('\n').sort().join('\n');

test.serial('a daemon over a store on a read-only mount has its images, though another store hangs and a third is missing', async (t) => {
  const first = stage().daemon;
  await first.stop();
  filled = listing();
  mkdirSync(store);
  execFileSync('mount', ['--bind', first.root, store]);
  execFileSync('mount', ['-o', 'remount,bind,ro', store]);
  hanging = await hangingFolder(join(folder, 'hanging'));
  const stores = [hanging.path, store, join(folder, 'missing')];
  node = await startDaemon({ registries: ['127.0.0.1:1'], args: ['--additional-image-stores', stores.join(',')] });
  baseline = traces(node);
  const { images } = await node.cri.call('ListImages', {});
  t.deepEqual(images.flatMap(({ repo_tags }) => repo_tags).sort(), [data, busybox]);
  t.true(images.every(({ pinned }) => pinned));
  const log = textOf(node.logPath);
  for (const away of [stores[0], stores[2]]) t.regex(log, new RegExp(`WARN +additional image store cannot be read.*${away}`));
  t.deepEqual(namesIn(join(node.root, 'layers')), []);
  const { image_filesystems: [usage] } = await node.cri.call('ImageFsInfo', {});
  t.deepEqual([usage?.used_bytes.value, usage?.inodes_used.value], ['0', '0']);
});

test.serial('pods run from an image there and mount one as a volume, with no registry at hand, also after the daemon was killed', async (t) => {
  const mounts = [{ container_path: '/vol', image: { image: data }, readonly: true }];
  const pod = await runPod(node, 'plain');
  const id = await createContainer(node, pod, containerConfig('c', ['sleep', '1000'], { mounts }));
  await node.cri.call('StartContainer', { container_id: id });
  t.is((await exec(node, id, 'echo written > /file; cat /file /vol/models/small')).stdout, 'written\nsmall');
  t.is((await statusOf(node, id)).image_id, (await node.cri.call('ImageStatus', { image: { image: busybox } })).image?.id ?? '');
  await t.throwsAsync(node.cri.call('PullImage', { image: { image: sharing } }), { message: /RegistryUnavailable/ });
  await node.kill();
  await node.start();
  t.is((await exec(node, id, 'cat /file')).stdout, 'written\n');
  await removePod(node, pod.id);
});

test.serial('RemoveImage of an image there is refused with where it lies', async (t) => {
  const image = { image: busybox };
  await t.throwsAsync(node.cri.call('RemoveImage', { image }), {
    message: new RegExp(`^9 FAILED_PRECONDITION: .*${busybox}.* lies in the additional store ${store}`),
  });
  t.not((await node.cri.call('ImageStatus', { image })).image, null);
});

test.serial('a pull fetches only what the store lacks, and nothing of an image that is there', async (t) => {
  const { registry, digests } = stage();
  writeFileSync(join(node.directory, 'registries.conf'), registriesConf([registry.host]));
  const blobsOf = (name: string): readonly string[] => digests[name]?.blobs ?? [];
  const there = blobsOf('e2e-test-images/busybox:1.29-2');
  const [shared, rest] = [true, false].map((isThere) => blobsOf('k8s-staging-cri-tools/test-image-1:latest').filter((digest) => there.includes(digest) === isThere));
  t.true((shared?.length ?? 0) > 0 && (rest?.length ?? 0) > 0, 'the images share a layer');
  const asked = textOf(registry.logPath).length;
  for (const image of [busybox, sharing]) await node.cri.call('PullImage', { image: { image } });
  const log = textOf(registry.logPath).slice(asked);
  const isAsked = (digest: string): boolean => log.includes(`/blobs/${digest}`);
  t.deepEqual([there.filter(isAsked), rest?.filter((digest) => !isAsked(digest))], [[], []], log);
  t.is(namesIn(join(node.root, 'layers')).length, 1);
  const pod = await runPod(node, 'shared');
  const id = await runScript(node, pod, 'c', 'sleep 1000', { image: { image: sharing } });
  t.regex((await exec(node, id, 'cat /name')).stdout, /test-image-1/);
  await removePod(node, pod.id);
  await node.cri.call('RemoveImage', { image: { image: sharing } });
});

test.serial('nothing was written in the store, and nothing is left of the daemon', async (t) => {
  t.deepEqual(await leaks(node, baseline), []);
  await node.stop();
  t.is(listing(), filled);
});

test.after.always('the stores are taken down', async () => {
  if (node !== undefined) await endDaemon(node);
  await hanging?.end();
  execFileSync('umount', ['-l', store]);
  rmdirSync(store);
  rmdirSync(folder);
});
