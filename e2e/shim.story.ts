import test from 'ava';
import { textOf } from './harness/files.ts';
import { exitOf, removePod, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

/** The shim whose first container process is `pid`: the process' parent. */
function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(textOf(`/proc/${pid}/status`))?.[1]);
}

/** A zombie is gone too: whoever inherits it reaps it later. */
function isGone(pid: number): boolean {
  return !/^State:\t[^Z]/m.test(textOf(`/proc/${pid}/status`));
}

async function shimOf(id: string): Promise<number> {
  const { info } = await stage().daemon.cri.call('ContainerStatus', { container_id: id, verbose: true });
  return parentOf((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid);
}

test('a pod whose shim is killed is no longer ready, its container has ended, and all of it can be removed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'orphan');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const shim = await shimOf(container);
  process.kill(shim, 'SIGKILL');
  const ended = await exitOf(daemon, container);
  t.is(ended.exit_code, 255);
  t.regex(ended.message, /shim/);
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  t.is(status.state, 'SANDBOX_NOTREADY');
  await removePod(daemon, pod.id);
  await until(() => isGone(shim), 5_000, 'the end of the killed shim');
});

test('a pod whose shim hangs can be stopped and removed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'hung');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const shim = await shimOf(container);
  process.kill(shim, 'SIGSTOP');
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id }, 60_000);
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id }, 60_000);
  await until(() => isGone(shim), 5_000, 'the end of the hung shim');
  t.pass();
});
