import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { mountDisk } from './harness/disk.ts';
import { containerConfig, createContainer, exec, runPod } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { removeImage } from './harness/remove-image.ts';
import { story } from './harness/story.ts';
import { hashOfTree } from './harness/tree.ts';

const bulk = 'docker.io/berth/bulk:1';
const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

const stage = story({
  daemon: {
    // Nothing reaches the disk by itself for minutes, only what the daemon makes durable.
    prepare: ({ directory, root }) => mountDisk(join(directory, 'disk'), root, { size: '512M', options: ['commit=300'] }),
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

/** Runs `look` on what the disk would hold had the power failed now: the file behind it, as it is, mounted elsewhere. */
async function afterPowerCut(look: (root: string) => void): Promise<void> {
  const elsewhere = mkdtempSync(join(tmpdir(), 'berth-power-'));
  const [copy, root] = [join(elsewhere, 'disk'), join(elsewhere, 'root')];
  mkdirSync(root);
  run('cp', '--sparse=always', join(stage().daemon.directory, 'disk'), copy);
  run('mount', '-o', 'loop', copy, root);
  try {
    look(root);
  } finally {
    run('umount', root);
    rmSync(elsewhere, { recursive: true });
  }
}

test('an image that a pull has answered is whole on the disk when the power fails at once, and one removed is gone', async (t) => {
  const { daemon } = stage();
  const known = new Set(readdirSync(folder('images')));
  await pull(bulk);
  const record = readdirSync(folder('images')).find((name) => !known.has(name) && name.endsWith('.json')) ?? '';
  const hashes = (root: string) => Object.fromEntries(readdirSync(join(root, 'layers')).map((name) => [name, hashOfTree(join(root, 'layers', name))]));
  await afterPowerCut((root) => {
    t.true(readdirSync(join(root, 'images')).includes(record));
    t.deepEqual(hashes(root), hashes(daemon.root));
  });
  await removeImage(daemon, bulk);
  await afterPowerCut((root) => {
    t.deepEqual(readdirSync(join(root, 'images')).filter((name) => name.endsWith('.json')), [...known]);
  });
});
