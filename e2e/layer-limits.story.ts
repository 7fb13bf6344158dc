import test from 'ava';
import { story } from './harness/story.ts';

const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';
const small = 'docker.io/berth/data-flat:1';
const stage = story({ images: [small], daemon: { args: ['--layer-entries', '100', '--layer-inodes', '50', '--layer-unpacked-bytes', '1MiB'] } });

test('a layer beyond a limit that the operator has set is refused by the limit and its option, a smaller one is taken', async (t) => {
  const { daemon } = stage();
  await t.throwsAsync(daemon.cri.call('PullImage', { image: { image: busybox } }), {
    code: 8,
    message: /RESOURCE_EXHAUSTED.*layer sha256:[0-9a-f]{64}: more than (100 entries, which --layer-entries|50 inodes, which --layer-inodes|1048576 .*, which --layer-unpacked-bytes) allows a layer/,
  });
  const { images } = await daemon.cri.call('ListImages', {});
  t.deepEqual(images.flatMap(({ repo_tags }) => repo_tags), [small]);
});
