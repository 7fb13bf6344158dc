import test from 'ava';
import { containerConfig, createContainer, exec, exitOf, logLines, podConfig, runPod, runScript, statusOf } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();
const stubborn = 'trap "" TERM; echo up; while :; do sleep 0.05; done';
const image = 'gcr.io/k8s-staging-cri-tools/test-image-2:latest';

test('a changed request beside the one in flight, and after it, is refused and does not disturb it', async (t) => {
  const { daemon } = stage();
  const config = podConfig(daemon, 'changed');
  const changed = { config: { ...config, hostname: 'other' } };
  const [first, second] = await Promise.allSettled([
    daemon.cri.call('RunPodSandbox', { config }),
    daemon.cri.call('RunPodSandbox', changed),
  ]);
  t.is(first.status, 'fulfilled');
  t.regex(second.status === 'rejected' ? String(second.reason) : '', /ALREADY_EXISTS/);
  await t.throwsAsync(daemon.cri.call('RunPodSandbox', changed), { message: /ALREADY_EXISTS/ });
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, 1);
});

test('a create given up by its caller is finished for the retry', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'impatient');
  const config = containerConfig('c', ['sleep', '1000']);
  const request = { pod_sandbox_id: pod.id, config, sandbox_config: pod.config };
  await t.throwsAsync(daemon.cri.call('CreateContainer', request, 5));
  const id = await createContainer(daemon, pod, config);
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers.map((one) => one.id), [id]);
});

test('a pod stopped while a container is made in it has no container that runs', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'stop-create');
  const create = createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'])).catch(() => undefined);
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  await create;
  const { containers } = await daemon.cri.call('ListContainers', {});
  t.deepEqual(containers.filter((one) => one.state !== 'CONTAINER_EXITED'), []);
});

test('a pod removed while a container is made in it is gone, and so is the container', async (t) => {
  const { daemon } = stage();
  for (let i = 0; i < 4; i++) {
    const pod = await runPod(daemon, 'remove-create');
    const create = createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'])).catch(() => undefined);
    await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id });
    await create;
    t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
    t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
  }
});

test('a container removed while it starts is gone', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'remove-start');
  const container_id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000']));
  const start = daemon.cri.call('StartContainer', { container_id }).catch(() => undefined);
  await daemon.cri.call('RemoveContainer', { container_id });
  await start;
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
});

test('of two stops the shorter grace counts, whichever comes first, and both return', async (t) => {
  const { daemon } = stage();
  for (const graces of [[600, 1], [1, 600]]) {
    const pod = await runPod(daemon, 'two-stops');
    const container_id = await runScript(daemon, pod, 'c', stubborn);
    await logLines(pod, 'c', 1);
    const from = performance.now();
    await Promise.all(graces.map((timeout) => daemon.cri.call('StopContainer', { container_id, timeout })));
    t.true(performance.now() - from < 60_000);
    t.is((await statusOf(daemon, container_id)).exit_code, 137);
  }
});

test('an exec ends with the container that is stopped under it', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'exec-stop');
  const container_id = await runScript(daemon, pod, 'c', stubborn);
  await logLines(pod, 'c', 1);
  const from = performance.now();
  const running = exec(daemon, container_id, 'sleep 600', 600).then(({ code }) => code, () => -1);
  await daemon.cri.call('StopContainer', { container_id, timeout: 0 });
  t.not(await running, 0);
  t.true(performance.now() - from < 60_000);
  await t.throwsAsync(exec(daemon, container_id, 'true'), { message: /NOT_FOUND/ });
});

test('an image pulled and removed at once is whole or gone, and a later pull brings it whole', async (t) => {
  const { daemon } = stage();
  for (let i = 0; i < 5; i++) {
    const pulls = [1, 2].map(() => daemon.cri.call('PullImage', { image: { image } }));
    const removes = [1, 2].map(() => daemon.cri.call('RemoveImage', { image: { image } }));
    await Promise.all([...pulls, ...removes]);
  }
  await daemon.cri.call('PullImage', { image: { image } });
  const pod = await runPod(daemon, 'whole');
  const container = await runScript(daemon, pod, 'c', 'exit 7', { image: { image } });
  t.is((await exitOf(daemon, container)).exit_code, 7);
  await t.throwsAsync(daemon.cri.call('RemoveImage', { image: { image } }), { message: /FAILED_PRECONDITION/ });
  await daemon.cri.call('RemoveContainer', { container_id: container });
  await daemon.cri.call('RemoveImage', { image: { image } });
});
