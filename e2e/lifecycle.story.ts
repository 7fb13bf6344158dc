import { status } from '@grpc/grpc-js';
import test from 'ava';
import { containerConfig, createContainer, exitOf, podConfig, removePod, runPod, runScript, statusOf } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();
const codeOf = async (call: Promise<unknown>): Promise<number | undefined> =>
  call.then(() => status.OK, (error: { code?: number }) => error.code);

test('a container is started once: not again while it runs, and not when it has ended', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'once');
  const running = await runScript(daemon, pod, 'runs', 'sleep 1000');
  const ended = await runScript(daemon, pod, 'ended', 'true');
  await exitOf(daemon, ended);
  for (const container_id of [running, ended]) {
    t.is(await codeOf(daemon.cri.call('StartContainer', { container_id })), status.FAILED_PRECONDITION);
  }
  t.is((await statusOf(daemon, running)).state, 'CONTAINER_RUNNING');
  t.is((await statusOf(daemon, ended)).message, '', 'a refused start has left its message');
});

test('a container can be removed in every state, again and again, and its name is free then', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'removed');
  const config = containerConfig('c', ['sleep', '1000']);
  const states: ((id: string) => Promise<unknown>)[] = [
    async () => undefined,
    (container_id) => daemon.cri.call('StartContainer', { container_id }),
    async (container_id) => {
      await daemon.cri.call('StartContainer', { container_id });
      await daemon.cri.call('StopContainer', { container_id, timeout: 0 });
    },
  ];
  const ids: string[] = [];
  for (const bring of states) {
    const container_id = await createContainer(daemon, pod, config);
    await bring(container_id);
    ids.push(container_id);
    await Promise.all([1, 2].map(() => daemon.cri.call('RemoveContainer', { container_id })));
    await daemon.cri.call('RemoveContainer', { container_id });
    t.is(await codeOf(daemon.cri.call('ContainerStatus', { container_id })), status.NOT_FOUND);
  }
  t.is(new Set(ids).size, 3);
});

test('a name in use is refused to another configuration and once the first has moved on, in pods and in containers', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'names');
  const started = await runScript(daemon, pod, 'c', 'sleep 1000');
  const same = containerConfig('c', ['sh', '-c', 'sleep 1000']);
  t.is(await codeOf(createContainer(daemon, pod, same)), status.ALREADY_EXISTS);
  t.is(await codeOf(createContainer(daemon, pod, containerConfig('c', ['false']))), status.ALREADY_EXISTS);
  const next = await createContainer(daemon, pod, { ...same, metadata: { name: 'c', attempt: 1 } });
  t.not(next, started);
  const changed = { ...pod.config, hostname: 'other' };
  t.is(await codeOf(daemon.cri.call('RunPodSandbox', { config: changed })), status.ALREADY_EXISTS);
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.is(await codeOf(daemon.cri.call('RunPodSandbox', { config: pod.config })), status.ALREADY_EXISTS);
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id });
  t.not((await daemon.cri.call('RunPodSandbox', { config: pod.config })).pod_sandbox_id, pod.id);
});

test('a pod is removed with all that runs in it, again and again', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'whole');
  await runScript(daemon, pod, 'runs', 'sleep 1000');
  await createContainer(daemon, pod, containerConfig('waits', ['true']));
  await Promise.all([1, 2].map(() => daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id })));
  await removePod(daemon, pod.id);
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
  t.is(await codeOf(daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })), status.NOT_FOUND);
});

test('a stopped pod can still be asked: not ready, without an address, its containers ended', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'stopped');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const before = (await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status;
  t.regex(before.network?.ip ?? '', /^[\d.:a-f]+$/);
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  const { status: after, containers_statuses } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  t.is(after.state, 'SANDBOX_NOTREADY');
  t.is(after.network?.ip ?? '', '');
  t.deepEqual(containers_statuses.map((one) => [one.id, one.state]), [[container, 'CONTAINER_EXITED']]);
});

test('a status answers at once while the container is being stopped', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'busy');
  const container_id = await runScript(daemon, pod, 'c', "trap '' TERM; echo ready; while :; do sleep 0.1; done");
  const stop = daemon.cri.call('StopContainer', { container_id, timeout: 600 });
  const from = performance.now();
  for (let asked = 0; asked < 10; asked++) t.is((await statusOf(daemon, container_id)).state, 'CONTAINER_RUNNING');
  await daemon.cri.call('ListContainers', {});
  t.true(performance.now() - from < 60_000);
  await daemon.cri.call('StopContainer', { container_id, timeout: 0 });
  await stop;
  t.is((await statusOf(daemon, container_id)).exit_code, 137);
});

test('all parts of a filter have to match', async (t) => {
  const { daemon } = stage();
  const one = await runPod(daemon, 'one', { labels: { app: 'a', tier: 'x' } });
  const two = { ...podConfig(daemon, 'two'), labels: { app: 'a', tier: 'y' } };
  const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', { config: two });
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id });
  const list = async (filter: object) => (await daemon.cri.call('ListPodSandbox', { filter })).items.map((item) => item.id).sort();
  t.deepEqual(await list({ label_selector: { app: 'a' } }), [one.id, pod_sandbox_id].sort());
  t.deepEqual(await list({ label_selector: { app: 'a', tier: 'y' } }), [pod_sandbox_id]);
  t.deepEqual(await list({ label_selector: { app: 'a' }, state: { state: 'SANDBOX_READY' } }), [one.id]);
  t.deepEqual(await list({ id: one.id, label_selector: { tier: 'y' } }), []);
});
