import test from 'ava';
import { busybox, containerConfig, createContainer, podConfig, removePod, runPod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();

test('the same RunPodSandbox again returns the same pod, after the first and beside it', async (t) => {
  const { daemon } = stage();
  const config = podConfig(daemon, 'again');
  const replies = await Promise.all([1, 2, 3].map(() => daemon.cri.call('RunPodSandbox', { config })));
  const [first = ''] = replies.map((reply) => reply.pod_sandbox_id);
  t.deepEqual(
    replies.map((reply) => reply.pod_sandbox_id),
    [first, first, first],
  );
  t.is((await daemon.cri.call('RunPodSandbox', { config })).pod_sandbox_id, first);
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, 1);
});

test('a retry whose maps come in another order, as Go sends them, is the same request', async (t) => {
  const { daemon } = stage();
  const config = podConfig(daemon, 'shuffled');
  const one = { ...config, labels: { a: '1', b: '2', c: '3' } };
  const other = { ...config, labels: { c: '3', a: '1', b: '2' } };
  const replies = await Promise.all([one, other].map((asked) => daemon.cri.call('RunPodSandbox', { config: asked })));
  const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', { config: other });
  t.deepEqual(replies, [{ pod_sandbox_id }, { pod_sandbox_id }]);
});

test('a RunPodSandbox given up by its caller is finished for the retry', async (t) => {
  const { daemon } = stage();
  const config = podConfig(daemon, 'impatient');
  await t.throwsAsync(daemon.cri.call('RunPodSandbox', { config }, 10));
  const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', { config });
  t.deepEqual(
    (await daemon.cri.call('ListPodSandbox', {})).items.map((item) => item.id),
    [pod_sandbox_id],
  );
});

test('the same CreateContainer again returns the same container, after the first and beside it', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'container-again');
  const config = containerConfig('c', ['sleep', '1000']);
  const ids = await Promise.all([1, 2, 3].map(() => createContainer(daemon, pod, config)));
  t.is(new Set([...ids, await createContainer(daemon, pod, config)]).size, 1);
  t.is((await daemon.cri.call('ListContainers', {})).containers.length, 1);
});

test('another attempt, another uid and a removed name each make a new pod', async (t) => {
  const { daemon } = stage();
  const config = podConfig(daemon, 'other');
  const first = (await daemon.cri.call('RunPodSandbox', { config })).pod_sandbox_id;
  const second = (
    await daemon.cri.call('RunPodSandbox', { config: { ...config, metadata: { ...config.metadata, attempt: 1 } } })
  ).pod_sandbox_id;
  const third = await runPod(daemon, 'other');
  await removePod(daemon, first);
  const again = (await daemon.cri.call('RunPodSandbox', { config })).pod_sandbox_id;
  t.is(new Set([first, second, third.id, again]).size, 4);
});

test('a create that failed leaves its name free', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'failed');
  await t.throwsAsync(
    createContainer(daemon, pod, containerConfig('c', ['true'], { image: { image: 'docker.io/berth/absent:1' } })),
  );
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
  await createContainer(daemon, pod, containerConfig('c', ['true'], { image: { image: busybox } }));
  t.is((await daemon.cri.call('ListContainers', {})).containers.length, 1);
});
