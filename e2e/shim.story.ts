import test from 'ava';
import { textOf } from './harness/files.ts';
import { exitOf, removePod, runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';

const metrics = `127.0.0.1:${await freePort()}`;
const stage = story({ daemon: { args: ['--metrics-address', metrics] } });

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
  const lost = async () => /^berth_shims_lost_total (\d+)$/m.exec(await (await fetch(`http://${metrics}/metrics`)).text())?.[1];
  t.is(await lost(), '0');
  const pod = await runPod(daemon, 'orphan');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const shim = await shimOf(container);
  process.kill(shim, 'SIGKILL');
  const ended = await exitOf(daemon, container);
  // It was killed, which the kernel tells if it keeps that and PID 1 is quick enough.
  t.regex(`${ended.exit_code}: ${ended.message}`, /^137: its shim ended before it did$|^255: its shim ended before it did; nobody knows its exit code$/);
  const { status, info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  t.is(status.state, 'SANDBOX_NOTREADY');
  t.is((JSON.parse(info['info'] ?? '{}') as { shim: string }).shim, 'lost');
  t.is(await lost(), '1');
  t.regex(textOf(daemon.logPath), new RegExp(`shim of a sandbox is gone.*${pod.id}`));
  await removePod(daemon, pod.id);
  await until(() => isGone(shim), 60_000, 'the end of the killed shim');
});

test('a pod whose shim hangs can be stopped and removed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'hung');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const shim = await shimOf(container);
  process.kill(shim, 'SIGSTOP');
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id }, 60_000);
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id }, 60_000);
  await until(() => isGone(shim), 60_000, 'the end of the hung shim');
  t.pass();
});
