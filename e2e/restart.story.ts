import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { killEngine } from './harness/engine.ts';
import { exec, exitOf, logOf, podConfig, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

test('containers outlive a killed daemon, their logs go on, and exits in between are known with code', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'survivor');
  const chatty = await runScript(daemon, pod, 'chatty', 'while true; do echo line; sleep 0.1; done');
  const brief = await runScript(daemon, pod, 'brief', 'sleep 1; exit 7');
  const before = await statusOf(daemon, chatty);
  const { status: podBefore } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  await daemon.kill();
  const killedNs = BigInt(Date.now()) * 1_000_000n;
  const lines = logOf(pod, 'chatty').length;
  await sleep(2000);
  await until(() => logOf(pod, 'chatty').length > lines + 10, 60_000, 'the log to go on while the daemon is away');
  await daemon.start();

  const restartedNs = BigInt(Date.now()) * 1_000_000n;
  t.deepEqual((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status, podBefore);
  t.deepEqual(await statusOf(daemon, chatty), before);
  const ended = await exitOf(daemon, brief);
  t.is(ended.exit_code, 7);
  t.true(
    BigInt(ended.finished_at) > killedNs && BigInt(ended.finished_at) < restartedNs,
    'the exit carries the wrong time',
  );
  t.is((await exec(daemon, chatty, 'echo still here')).stdout, 'still here\n');
  await daemon.cri.call('StopContainer', { container_id: chatty, timeout: 0 });
  t.is((await statusOf(daemon, chatty)).exit_code, 137);
});

test('a daemon stopped in order leaves its pods running as well', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'upgrade');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  await daemon.stop();
  await daemon.start();
  t.is((await statusOf(daemon, container)).state, 'CONTAINER_RUNNING');
});

test('a pod stopped after a restart gives everything back', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'late-stop', {
    port_mappings: [{ protocol: 0, container_port: 80, host_port: 28_080 }],
  });
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  await daemon.kill();
  await daemon.start();
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.is((await statusOf(daemon, container)).state, 'CONTAINER_EXITED');
});

test('a killed engine is replaced; running containers and new pods do not notice', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'engine');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  await killEngine(daemon);
  t.is((await statusOf(daemon, container)).state, 'CONTAINER_RUNNING');
  t.is((await exec(daemon, container, 'echo ok')).stdout, 'ok\n');
  const after = await runPod(daemon, 'after-engine');
  t.is((await exitOf(daemon, await runScript(daemon, after, 'c', 'exit 4'))).exit_code, 4);
});

test('a pod whose start was cut off by the death of the daemon starts on the retry, once', async (t) => {
  const { daemon } = stage();
  for (const delayMs of [5, 30, 80]) {
    const config = podConfig(daemon, `cut-${delayMs}`);
    const cut = daemon.cri.call('RunPodSandbox', { config }).catch(() => undefined);
    await sleep(delayMs);
    await daemon.kill();
    await cut;
    await daemon.start();
    const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', { config });
    const { items } = await daemon.cri.call('ListPodSandbox', {});
    const same = items.filter((item) => item.metadata.uid === config.metadata.uid);
    t.deepEqual(
      same.map((item) => item.id),
      [pod_sandbox_id],
      `cut off after ${delayMs} ms`,
    );
    await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id });
  }
});
