import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { berth, mustBerth } from './harness/cli.ts';
import { mountDisk } from './harness/disk.ts';
import { containerConfig, createContainer, exec, runPod } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { removeImage } from './harness/remove-image.ts';
import { story } from './harness/story.ts';

const [bulk, small] = ['docker.io/berth/bulk:1', 'docker.io/berth/layers:1'] as const;
/** Its upper layer, of about 10 MiB, is no other image's. */
const loaded = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';

/** The records lie on a file system of their own, so that they alone can find theirs full. */
const stage = story({
  daemon: {
    prepare: ({ directory, root }) => {
      mountDisk(join(directory, 'disk'), root, { size: '320M', inodes: 8000 });
      mkdirSync(join(root, 'images'), { mode: 0o700 });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'berth-e2e', join(root, 'images')]);
    },
  },
});
const pull = (image: string): Promise<unknown> => stage().daemon.cri.call('PullImage', { image: { image } }, 120_000);
const folder = (name: string): string => join(stage().daemon.root, name);
const free = (): { bytes: number; inodes: number } => {
  // What root may use besides others counts too: the daemon is root.
  const { bfree, bsize, ffree } = statfsSync(stage().daemon.root);
  return { bytes: bfree * bsize, inodes: ffree };
};

/** Takes all but so many bytes of the disk; the result gives them back. */
function leaveBytes(left: number): () => void {
  execFileSync('fallocate', ['-l', String(free().bytes - left), folder('filler')]);
  return () => rmSync(folder('filler'));
}

/** Takes all but so many inodes of the disk. */
function leaveInodes(left: number): () => void {
  mkdirSync(folder('filler'));
  for (let taken = free().inodes - left; taken > 0; taken--) writeFileSync(join(folder('filler'), `${taken}`), '');
  return () => rmSync(folder('filler'), { recursive: true });
}

/** Takes all of what there is for records. */
function leaveNoRecord(): () => void {
  const filler = join(folder('images'), 'filler');
  const { bfree, bsize } = statfsSync(folder('images'));
  writeFileSync(filler, Buffer.alloc(bfree * bsize));
  return () => rmSync(filler);
}

/** What brings the image where there is no room; `failure` looks at what came of that. */
type Attempt = { image: string; work: () => Promise<unknown>; failure: (outcome: unknown) => void };

const nothingGoing = (): Promise<void> => until(() => readdirSync(folder('tmp')).length === 0, 30_000, 'what was unpacked to be gone');

/** Once `fill` has taken the room, the attempt fails, the store is as it was, the daemon runs pods; with room again it succeeds. */
async function refusedForNow(t: ExecutionContext, fill: () => () => void, { image, work, failure }: Attempt): Promise<void> {
  const { daemon } = stage();
  await nothingGoing();
  const giveBack = fill();
  const [before, layers] = [free(), readdirSync(folder('layers'))];
  try {
    failure(await work().catch((error: unknown) => error));
    await nothingGoing();
    t.deepEqual(readdirSync(folder('layers')), layers);
    const { images } = await daemon.cri.call('ListImages', {});
    t.false(images.some(({ repo_tags }) => repo_tags.includes(image)));
    t.true(free().bytes > before.bytes - (4 << 20) && free().inodes > before.inodes - 100, `free before and after: ${JSON.stringify([before, free()])}`);
    const pod = await runPod(daemon, 'goes-on');
    const container_id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000']));
    await daemon.cri.call('StartContainer', { container_id });
    t.is((await exec(daemon, container_id, 'echo on')).stdout, 'on\n');
  } finally {
    giveBack();
  }
  await work();
  const { image: found } = await daemon.cri.call('ImageStatus', { image: { image } });
  t.truthy(found);
  await removeImage(daemon, image);
}

const exhausted = (t: ExecutionContext, message: RegExp) => (outcome: unknown): void => {
  t.is((outcome as { code?: number }).code, status.RESOURCE_EXHAUSTED);
  t.regex(String(outcome), message);
};

test.serial('a pull whose record finds the disk full is as if it had not been, and is told by the file that could not be written', async (t) => {
  const failure = exhausted(t, /cannot pull docker\.io\/berth\/layers:1: cannot write \S+\/images\/\S+\.json: .*no space/i);
  await refusedForNow(t, leaveNoRecord, { image: small, work: () => pull(small), failure });
});

test.serial('a pull that takes the last inode says so, gives all of them back, and the daemon goes on', async (t) => {
  await refusedForNow(t, () => leaveInodes(1500), { image: bulk, work: () => pull(bulk), failure: exhausted(t, /cannot pull docker\.io\/berth\/bulk:1.*no space left/i) });
});

test.serial('a load that fills the disk while it is kept, while it is unpacked or by its record leaves nothing, and the daemon goes on', async (t) => {
  const { daemon } = stage();
  const archive = join(daemon.directory, 'loaded.tar');
  await pull(loaded);
  await mustBerth(daemon, 'save', '-o', archive, loaded);
  await removeImage(daemon, loaded);
  const bytes = statSync(archive).size;
  const load = async (): Promise<string> => {
    const { code, stdout, stderr } = await berth(daemon, 'load', '-i', archive);
    if (code !== 0) throw new Error(`${code}: ${stderr}`);
    return stdout;
  };
  const attempt = (why: string): Attempt => ({
    image: loaded,
    work: load,
    failure: (outcome) => void t.regex(String(outcome), new RegExp(`^Error: 1: berth load: cannot load the archive: ${why}.*no space`, 'i')),
  });
  await refusedForNow(t, () => leaveBytes(bytes >> 1), attempt('no room to keep it meanwhile: '));
  // Of that, ext4 keeps 4 MiB to itself on so small a disk.
  await refusedForNow(t, () => leaveBytes(bytes + (8 << 20)), attempt('layer sha256:'));
  await refusedForNow(t, leaveNoRecord, attempt('cannot write \\S+/images/\\S+\\.json: '));
});
