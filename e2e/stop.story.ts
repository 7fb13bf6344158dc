import test from 'ava';
import { containerConfig, createContainer, exec, exitOf, logLines, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const nginx = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';
const stage = story({ images: ['registry.k8s.io/e2e-test-images/busybox:1.29-2', nginx] });

const elapsedMs = async (work: Promise<unknown>): Promise<number> => {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
};

test('a container that handles SIGTERM ends with its own exit code before the grace is over', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'graceful');
  const container_id = await runScript(
    daemon,
    pod,
    'c',
    'trap "exit 5" TERM; echo ready; while true; do sleep 0.1; done',
  );
  await logLines(pod, 'c', 1);
  t.true((await elapsedMs(daemon.cri.call('StopContainer', { container_id, timeout: 600 }))) < 60_000);
  t.is((await statusOf(daemon, container_id)).exit_code, 5);
});

test('a container that ignores SIGTERM is killed when the grace is over', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'stubborn');
  const container_id = await runScript(daemon, pod, 'c', 'trap "" TERM; echo ready; while true; do sleep 0.1; done');
  await logLines(pod, 'c', 1);
  const tookMs = await elapsedMs(daemon.cri.call('StopContainer', { container_id, timeout: 1 }));
  t.true(tookMs >= 950, `${tookMs} ms`);
  const status = await statusOf(daemon, container_id);
  t.is(status.state, 'CONTAINER_EXITED');
  t.is(status.exit_code, 137);
});

test('a second stop with a shorter grace shortens the first', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'hurry');
  const container_id = await runScript(daemon, pod, 'c', 'trap "" TERM; echo ready; while true; do sleep 0.1; done');
  await logLines(pod, 'c', 1);
  const first = elapsedMs(daemon.cri.call('StopContainer', { container_id, timeout: 600 }));
  await new Promise((resolve) => {
    setTimeout(resolve, 300);
  });
  t.true((await elapsedMs(daemon.cri.call('StopContainer', { container_id, timeout: 0 }))) < 60_000);
  t.true((await first) < 60_000);
});

test('a stop whose caller went away is carried out', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'abandoned');
  const container_id = await runScript(daemon, pod, 'c', 'trap "" TERM; echo ready; while true; do sleep 0.1; done');
  await logLines(pod, 'c', 1);
  await t.throwsAsync(daemon.cri.call('StopContainer', { container_id, timeout: 2 }, 300));
  t.is((await exitOf(daemon, container_id)).exit_code, 137);
});

test("the image's stop signal is the one that is sent", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'signal');
  const container_id = await createContainer(daemon, pod, { ...containerConfig('c', []), image: { image: nginx } });
  await daemon.cri.call('StartContainer', { container_id });
  // Before it has read its configuration nginx does not know its own signals.
  await until(async () => (await exec(daemon, container_id, 'cat /var/run/nginx.pid')).stdout !== '', 60_000, 'nginx to be up');
  await daemon.cri.call('StopContainer', { container_id, timeout: 600 });
  t.is((await statusOf(daemon, container_id)).exit_code, 0);
});

test('stopping the pod ends its containers, and every stop may be repeated', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'twice');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  for (const _ of [1, 2]) await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.is((await statusOf(daemon, container_id)).state, 'CONTAINER_EXITED');
  t.is((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status.state, 'SANDBOX_NOTREADY');
  await daemon.cri.call('StopContainer', { container_id, timeout: 0 });
});
