import { spawnSync } from 'node:child_process';
import test from 'ava';
import type { ImageEntry } from '../api/control.ts';
import { berth, mustBerth } from './harness/cli.ts';
import { busybox, containerConfig, createContainer, runPod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const pinned = 'gcr.io/k8s-staging-cri-tools/test-image-3:latest';
const stage = story({ daemon: { args: ['--pinned-images', 'gcr.io/*/test-image-3:*'] } });
const names = ['1', '2'].map((number) => `gcr.io/k8s-staging-cri-tools/test-image-${number}:latest`);

const listed = async (...args: string[]): Promise<ImageEntry[]> =>
  JSON.parse(await mustBerth(stage().daemon, 'images', '--json', ...args)) as ImageEntry[];
const tagsOf = (images: readonly ImageEntry[]): string[] => images.flatMap(({ tags }) => tags).sort();

test.serial('berth images filters, and tells size on the disk and the part of it that no other image shares', async (t) => {
  const { daemon } = stage();
  for (const name of [...names, pinned]) await mustBerth(daemon, 'pull', name);
  t.deepEqual(tagsOf(await listed('--filter', 'reference=*test-image-1')), [names[0] ?? '']);
  t.deepEqual(tagsOf(await listed('--filter', 'dangling=true')), []);
  const all = await listed();
  t.deepEqual(tagsOf(all), [...names, pinned, busybox].sort());
  for (const { used_bytes, unique_bytes } of all) t.true(BigInt(used_bytes) >= BigInt(unique_bytes));
  const unique = all.reduce((sum, { unique_bytes }) => sum + BigInt(unique_bytes), 0n);
  const { image_filesystems } = await daemon.cri.call('ImageFsInfo', {});
  t.true(unique <= BigInt(image_filesystems[0]?.used_bytes.value ?? 0), 'unique parts are parts of the whole');
  t.deepEqual(all.filter((image) => image.pinned).flatMap(({ tags }) => tags), [pinned]);
  const refused = await berth(daemon, 'images', '-f', 'colour=red');
  t.is(refused.code, 1);
  t.regex(refused.stderr, /^berth images: "colour=red" is no filter of images; there are dangling=/);
});

test.serial('ImageFsInfo is what du counts, also after images went', async (t) => {
  const { daemon } = stage();
  const counted = async () => {
    const { image_filesystems: [filesystem] } = await daemon.cri.call('ImageFsInfo', {});
    return [Number(filesystem?.used_bytes.value), Number(filesystem?.inodes_used.value)];
  };
  const du = (...options: string[]): number =>
    Number(spawnSync('sh', ['-c', `du -s ${options.join(' ')} ${daemon.root}/layers/*/ | awk '{ sum += $1 } END { print sum }'`], { encoding: 'utf8' }).stdout);
  t.deepEqual(await counted(), [du('-B1'), du('--inodes')]);
  await mustBerth(daemon, 'rmi', names[0] ?? '');
  t.deepEqual(await counted(), [du('-B1'), du('--inodes')]);
  await mustBerth(daemon, 'pull', names[0] ?? '');
});

test.serial('berth images history shows the steps with the layers that came of them', async (t) => {
  const [headline = '', ...lines] = (await mustBerth(stage().daemon, 'images', 'history', busybox)).split('\n');
  t.regex(headline, /^CREATED +SIZE +CREATED BY$/);
  t.true(lines.length >= 1);
  const absent = await berth(stage().daemon, 'images', 'history', 'docker.io/berth/absent:1');
  t.deepEqual([absent.code, absent.stderr], [1, 'berth images history: image docker.io/berth/absent:1 is not here: pull it first\n']);
});

test.serial('berth rmi removes an image with all its tags, and refuses one in use with who uses it', async (t) => {
  const { daemon } = stage();
  const tags = ['1', '2'].map((tag) => `gcr.io/k8s-staging-cri-tools/test-image-tags:${tag}`);
  for (const tag of tags) await mustBerth(daemon, 'pull', tag);
  const id = await mustBerth(daemon, 'rmi', tags[0] ?? '');
  t.false((await listed()).some((image) => image.id === id));
  const pod = await runPod(daemon, 'user');
  const container = await createContainer(daemon, pod, containerConfig('c', ['true']));
  const refused = await berth(daemon, 'rmi', busybox, tags[1] ?? '');
  t.is(refused.code, 1);
  t.true(refused.stderr.includes(`is used by container ${container}: remove them first`), refused.stderr);
  t.true(refused.stderr.includes(`image ${tags[1]} is not here`), refused.stderr);
});

test.serial('berth images prune keeps what is in use, pinned, filtered out or lately pulled, and says what it freed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'user');
  await createContainer(daemon, pod, containerConfig('c', ['true']));
  t.is(await mustBerth(daemon, 'images', 'prune'), '0 removed, 0 B freed');
  const dry = await mustBerth(daemon, 'images', 'prune', '--idle', '0s', '--dry-run');
  t.deepEqual(dry.split('\n').map((line) => line.split(' ')[1] ?? '').sort(), names);
  const before = await listed();
  const some = await mustBerth(daemon, 'images', 'prune', '--idle=0s', '--filter', `reference=${names[0]}`);
  t.regex(some, new RegExp(`^sha256:[0-9a-f]{64} ${names[0]}\n1 removed, [0-9.]+ \\w*B freed$`));
  await mustBerth(daemon, 'images', 'prune', '--idle', '0s');
  t.deepEqual(tagsOf(await listed()), [pinned, busybox].sort());
  t.is(before.length, 4);
});
