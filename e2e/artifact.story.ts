import test from 'ava';
import { busybox, containerConfig, createContainer, exec, runPod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const artifact = 'docker.io/berth/artifact:1';
const stage = story({ images: [busybox, artifact] });

const volume = (more: object = {}) => ({ container_path: '/vol', image: { image: artifact }, readonly: true, ...more });

test('an OCI artifact is listed as an image and mounted as a volume of its files, whole or by sub path', async (t) => {
  const { daemon, digests } = stage();
  const { images } = await daemon.cri.call('ListImages', { filter: { image: { image: artifact } } });
  t.like(images[0], { id: digests['berth/artifact:1']?.top, repo_tags: [artifact] });
  const pod = await runPod(daemon, 'artifact');
  const mounts = [volume(), volume({ container_path: '/docs', image_sub_path: 'docs' }), volume({ container_path: '/model', image_sub_path: 'model.bin' })];
  const id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'], { mounts }));
  await daemon.cri.call('StartContainer', { container_id: id });
  const { stdout, stderr } = await exec(daemon, id, 'cat /vol/model.bin /docs/README.md /model; ls -l /vol/model.bin | cut -c1-10; touch /vol/x');
  t.is(stdout, 'weights# read meweights-rw-r--r--\n');
  t.regex(stderr, /Read-only file system/);
  await t.throwsAsync(daemon.cri.call('RemoveImage', { image: { image: artifact } }), { message: /FAILED_PRECONDITION.*as volume \/vol/ });
});

test('an artifact is no image to run', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'run-artifact');
  const config = containerConfig('c', ['sh'], { image: { image: artifact } });
  await t.throwsAsync(createContainer(daemon, pod, config), { code: 3, message: /is an artifact of type application\/vnd\.berth\.model, which can be mounted as a volume but not run/ });
});
