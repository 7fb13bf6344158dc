import test from 'ava';
import { containerConfig, createContainer, runPod, statusOf } from './harness/pod.ts';
import { removeImage } from './harness/remove-image.ts';
import { story } from './harness/story.ts';
import type { Image } from './harness/replies.ts';

const stage = story({ images: [] });
const repository = 'registry.k8s.io/e2e-test-images/busybox';
const tagged = `${repository}:1.29-2`;

const imageOf = async (image: string): Promise<Image | null> =>
  (await stage().daemon.cri.call('ImageStatus', { image: { image } })).image;
const pull = async (image: string): Promise<string> =>
  (await stage().daemon.cri.call('PullImage', { image: { image } })).image_ref;
const remove = async (image: string): Promise<object> =>
  await stage().daemon.cri.call('RemoveImage', { image: { image } });

test('an image pulled by tag is found by tag, by id and by digest, always as the same record', async (t) => {
  const digest = stage().digests['e2e-test-images/busybox:1.29-2']?.top;
  const ref = await pull(tagged);
  const image = await imageOf(tagged);
  t.is(image?.id, ref);
  t.deepEqual(image?.repo_tags, [tagged]);
  t.deepEqual(image?.repo_digests, [`${repository}@${digest}`]);
  t.true(BigInt(image?.size ?? 0) > 1_000_000n);
  for (const name of [ref, `${repository}@${digest}`, ref.replace('sha256:', '')])
    t.deepEqual(await imageOf(name), image);
  t.is(await pull(tagged), ref);
  await remove(tagged);
  t.is(await imageOf(tagged), null);
});

test('an image pulled by the digest of its list, or of its manifest, has that digest and no tag', async (t) => {
  const digests = stage().digests['k8s-staging-cri-tools/test-image-1:latest'];
  for (const digest of [digests?.top, digests?.manifests[1]]) {
    const name = `gcr.io/k8s-staging-cri-tools/test-image-1@${digest}`;
    const ref = await pull(name);
    const image = await imageOf(name);
    t.is(image?.id, ref);
    t.deepEqual(image?.repo_tags, []);
    t.deepEqual(image?.repo_digests, [name]);
    await remove(name);
  }
});

test('three tags of one image are one image, and removing one tag removes it', async (t) => {
  const names = ['1', '2', '3'].map((tag) => `gcr.io/k8s-staging-cri-tools/test-image-tags:${tag}`);
  const refs = await Promise.all(names.map(pull));
  t.is(new Set(refs).size, 1);
  const { images } = await stage().daemon.cri.call('ListImages', {});
  t.deepEqual(
    images.map((image) => image.repo_tags.toSorted()),
    [names],
  );
  await remove(names[1] ?? '');
  t.deepEqual((await stage().daemon.cri.call('ListImages', {})).images, []);
  await remove(names[1] ?? '');
});

test('a name without tag means latest, and the user of the image is told', async (t) => {
  await pull('gcr.io/k8s-staging-cri-tools/test-image-user-username');
  const image = await imageOf('gcr.io/k8s-staging-cri-tools/test-image-user-username:latest');
  t.is(image?.username, 'www-data');
  await remove('gcr.io/k8s-staging-cri-tools/test-image-user-username');
});

test('the id of the image is the same string in PullImage, ListContainers and ContainerStatus', async (t) => {
  const { daemon } = stage();
  const ref = await pull(tagged);
  const pod = await runPod(daemon, 'ids');
  const container = await createContainer(daemon, pod, containerConfig('c', ['true']));
  const { containers } = await daemon.cri.call('ListContainers', {});
  t.is(containers[0]?.image_id, ref);
  t.is((await statusOf(daemon, container)).image_id, ref);
});

test('eight callers of one pull get one image', async (t) => {
  const refs = await Promise.all(Array.from({ length: 8 }, () => pull('docker.io/berth/bulk:1')));
  t.is(new Set(refs).size, 1);
  const { image_filesystems } = await stage().daemon.cri.call('ImageFsInfo', {});
  t.true(BigInt(image_filesystems[0]?.used_bytes.value ?? 0) > 50_000_000n);
  await removeImage(stage().daemon, 'docker.io/berth/bulk:1');
});

test('a registry that is down is told under the prefix that the kubelet looks for', async (t) => {
  const image = '127.0.0.1:1/absent:1';
  await t.throwsAsync(stage().daemon.cri.call('PullImage', { image: { image } }), { code: 2, message: /^2 UNKNOWN: RegistryUnavailable: .*absent/ });
});

test('an image nobody has is an empty answer, and pulling it an error that names it', async (t) => {
  t.is(await imageOf('docker.io/berth/absent:1'), null);
  await t.throwsAsync(pull('docker.io/berth/absent:1'), { message: /berth\/absent/ });
});
