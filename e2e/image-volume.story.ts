import { existsSync } from 'node:fs';
import test from 'ava';
import { containerConfig, createContainer, exec, podConfig, removePod, runPod, statusOf, type Pod } from './harness/pod.ts';
import { below } from './harness/files.ts';
import { story } from './harness/story.ts';
import { tool } from './harness/tools.ts';

const data = 'docker.io/berth/data:1';
const flat = 'docker.io/berth/data-flat:1';
const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';
const stage = story({ images: [busybox, data, flat], daemon: { args: ['--default-runtime', 'runc', '--runtime', `current=${tool('runc')}`] } });

const sleeping = ['sleep', '1000'];
const volume = (image: string, more: object = {}) => ({ container_path: '/vol', image: { image }, readonly: true, ...more });

async function idOf(reference: string): Promise<string> {
  const { image } = await stage().daemon.cri.call('ImageStatus', { image: { image: reference } });
  return image?.id ?? '';
}

async function runWith(pod: Pod, mounts: object[], name = 'c'): Promise<{ id: string; sh: (script: string) => Promise<string> }> {
  const { daemon } = stage();
  const id = await createContainer(daemon, pod, containerConfig(name, sleeping, { mounts }));
  await daemon.cri.call('StartContainer', { container_id: id });
  return {
    id,
    sh: async (script) => {
      const { stdout, stderr } = await exec(daemon, id, script);
      return stdout + stderr;
    },
  };
}

for (const handler of ['runc', 'current']) {
  test(`an image is a volume: its layers stacked, read-only, its programs run (${handler})`, async (t) => {
    const { daemon } = stage();
    const config = podConfig(daemon, 'image-volume');
    const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config, runtime_handler: handler });
    // The kubelet names the image by its id.
    const { sh } = await runWith({ id, config }, [
      volume(await idOf(data)),
      volume(flat, { container_path: '/flat' }),
      volume(data, { container_path: '/bound', mount_options: ['noexec'] }),
    ]);
    t.is(await sh('ls /vol/models; cat /vol/models/small'), 'small\nsmall');
    t.is(await sh('cat /flat/flat'), 'one layer');
    t.is(await sh('/vol/run.sh'), 'ran\n');
    t.regex(await sh('touch /vol/x'), /Read-only file system/);
    t.regex(await sh('/bound/run.sh'), /Permission denied/);
  });
}

test('a sub path of an image is mounted, a link in it never leads out of the image', async (t) => {
  const pod = await runPod(stage().daemon, 'sub-path');
  const { sh } = await runWith(pod, [
    volume(data, { image_sub_path: 'models' }),
    volume(data, { image_sub_path: 'inside', container_path: '/linked' }),
    volume(data, { image_sub_path: 'run.sh', container_path: '/one/file' }),
  ]);
  t.is(await sh('ls /vol; ls /linked; /one/file'), 'small\nsmall\nran\n');
});

test('what cannot be mounted of an image is told under the prefix that the kubelet looks for, and leaves nothing', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'failing');
  const message = async (mount: object): Promise<string> =>
    (await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', sleeping, { mounts: [mount] })))).message;
  t.regex(await message(volume(data, { image_sub_path: 'none' })), /^2 UNKNOWN: ImageVolumeMountFailed: .*\/vol.*find none in the image/);
  t.regex(await message(volume(data, { image_sub_path: 'outside/passwd' })), /^2 UNKNOWN: ImageVolumeMountFailed: .*find outside\/passwd/);
  t.regex(await message(volume('docker.io/berth/absent:1')), /^2 UNKNOWN: ImageVolumeMountFailed: .*absent.*pull it first/);
  t.regex(await message(volume(data, { image_sub_path: '../models' })), /INVALID_ARGUMENT.*without \.\./);
  t.regex(await message(volume(data, { readonly: false })), /INVALID_ARGUMENT.*only be mounted readonly/);
  t.regex(await message(volume(data, { host_path: '/tmp' })), /INVALID_ARGUMENT.*names the host path \/tmp too/);
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
  t.deepEqual(below(`${daemon.state}/containers`), []);
});

test('the status says which image is mounted and what of it', async (t) => {
  const { daemon } = stage();
  const { id } = await runWith(await runPod(daemon, 'status'), [volume(data, { image_sub_path: 'models' })]);
  const [mount] = (await statusOf(daemon, id)).mounts;
  t.like(mount, { container_path: '/vol', host_path: '', readonly: true, image_sub_path: 'models', image: { image: data } });
  const { image } = await daemon.cri.call('ImageStatus', { image: { image: data } });
  t.true(image?.repo_digests.includes(mount?.image?.image_ref ?? ''), mount?.image?.image_ref);
});

test('an image in use as a volume is not removed until its container is', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'in-use');
  const { id } = await runWith(pod, [volume(flat)]);
  const image = { image: flat };
  await t.throwsAsync(daemon.cri.call('RemoveImage', { image }), {
    message: new RegExp(`FAILED_PRECONDITION.*is used by container ${id} as volume /vol: remove`),
  });
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 0 });
  await daemon.cri.call('RemoveContainer', { container_id: id });
  await daemon.cri.call('RemoveImage', { image });
  t.is((await daemon.cri.call('ImageStatus', { image })).image, null);
  await daemon.cri.call('PullImage', { image });
});

test('image volumes outlive a killed daemon and go with their container', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'restart');
  const { id, sh } = await runWith(pod, [volume(data), volume(flat, { container_path: '/flat' })]);
  await daemon.kill();
  await daemon.start();
  t.is(await sh('cat /vol/models/small /flat/flat'), 'smallone layer');
  await t.throwsAsync(daemon.cri.call('RemoveImage', { image: { image: flat } }), { message: /as volume \/flat/ });
  t.true(existsSync(`${daemon.state}/containers/${id}/images/1`));
  await removePod(daemon, pod.id);
  t.false(existsSync(`${daemon.state}/containers/${id}`));
});
