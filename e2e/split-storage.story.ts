import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { busybox, exec, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const settings = mkdtempSync(join(tmpdir(), 'berth-split-'));
const config = join(settings, 'berth.toml');
test.after.always('the settings are removed', () => rmSync(settings, { recursive: true }));

const stage = story({
  daemon: {
    args: ['--config', config],
    prepare: ({ directory }) => {
      const store = join(directory, 'images');
      mkdirSync(store);
      execFileSync('mount', ['-t', 'tmpfs', 'berth-e2e', store]);
      writeFileSync(config, `image-store = ${JSON.stringify(store)}\n`);
    },
  },
});

test.serial('images on a file system of their own run, and are told apart from containers by mount point and figures', async (t) => {
  const { daemon } = stage();
  const store = join(daemon.directory, 'images');
  t.true(readdirSync(join(store, 'layers')).length > 0);
  t.false(existsSync(join(daemon.root, 'layers')));
  const pod = await runPod(daemon, 'split');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  t.is((await exec(daemon, id, 'dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null; sync; echo done')).stdout, 'done\n');
  const filesystems = async () => {
    const { image_filesystems: [images], container_filesystems: [containers] } = await daemon.cri.call('ImageFsInfo', {});
    return { images: images!, containers: containers! };
  };
  const first = await filesystems();
  t.is(first.images.fs_id.mountpoint, join(store, 'layers'));
  t.is(first.containers.fs_id.mountpoint, join(daemon.root, 'containers'));
  t.not(statSync(first.images.fs_id.mountpoint).dev, statSync(first.containers.fs_id.mountpoint).dev);
  await until(async () => Number((await filesystems()).containers.used_bytes.value) >= 3 << 20, 30_000, 'the written bytes to be counted');
  t.is((await filesystems()).images.used_bytes.value, first.images.used_bytes.value);
});

test.serial('the store of images belongs to one daemon at a time, and its images are there after a restart', async (t) => {
  const { daemon } = stage();
  await daemon.kill();
  await daemon.start();
  const { images } = await daemon.cri.call('ListImages', {});
  t.deepEqual(images.flatMap(({ repo_tags }) => repo_tags), [busybox]);
  t.true(existsSync(join(daemon.directory, 'images/lock.db')));
});
