import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { mountDisk } from './harness/disk.ts';
import { containerConfig, createContainer, exec, runPod } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { removeImage } from './harness/remove-image.ts';
import { story } from './harness/story.ts';

const bulk = 'docker.io/berth/bulk:1';
const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

const stage = story({
  daemon: {
    prepare: ({ directory, root }) => mountDisk(join(directory, 'disk'), root, { size: '512M' }),
  },
});
const pull = (image: string): Promise<unknown> => stage().daemon.cri.call('PullImage', { image: { image } }, 120_000);
const folder = (name: string): string => join(stage().daemon.root, name);

test('a pull that fills the disk says so, gives all of the space back, and the daemon goes on', async (t) => {
  const { daemon } = stage();
  const layers = readdirSync(folder('layers'));
  const before = freeBytes(daemon.root);
  const filler = join(daemon.root, 'filler');
  run('fallocate', '-l', String(before - (32 << 20)), filler);
  const error = await t.throwsAsync(pull(bulk), { message: /cannot pull docker\.io\/berth\/bulk:1.*No space left/i });
  t.is((error as { code?: number }).code, status.RESOURCE_EXHAUSTED);
  await until(() => readdirSync(folder('tmp')).length === 0, 20_000, 'what was unpacked to be gone');
  t.deepEqual(readdirSync(folder('layers')), layers);
  const { images } = await daemon.cri.call('ListImages', {});
  t.false(images.some(({ repo_tags }) => repo_tags.includes(bulk)));
  t.true(freeBytes(daemon.root) > (24 << 20), 'space is given back while the disk is as full as before');
  const pod = await runPod(daemon, 'goes-on');
  const container_id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000']));
  await daemon.cri.call('StartContainer', { container_id });
  t.is((await exec(daemon, container_id, 'echo on')).stdout, 'on\n');
  rmSync(filler);
  await t.notThrowsAsync(pull(bulk));
  await removeImage(daemon, bulk);
});
