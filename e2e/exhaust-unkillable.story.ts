import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { mountDisk, whileFrozen } from './harness/disk.ts';
import { textOf } from './harness/files.ts';
import { exec, exitOf, type Pod, removePod, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const volumeOf = (directory: string): string => join(directory, 'volume');

const stage = story({
  daemon: {
    prepare: ({ directory }) => {
      mkdirSync(volumeOf(directory));
      mountDisk(join(directory, 'disk'), volumeOf(directory), { size: '64M' });
    },
  },
});

/** A container whose first process writes to the volume again and again. */
async function runWriter(pod: Pod): Promise<string> {
  const mounts = [{ host_path: volumeOf(stage().daemon.directory), container_path: '/volume' }];
  return await runScript(stage().daemon, pod, 'c', 'while true; do echo x >/volume/x; done', { mounts });
}

/** Waits until the container's first process is in the kernel's own work, where no signal reaches it. */
async function waitUntilStuck(container_id: string): Promise<void> {
  const { info } = await stage().daemon.cri.call('ContainerStatus', { container_id, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  await until(() => /^State:\tD/m.test(textOf(`/proc/${pid}/status`)), 60_000, `process ${pid} to be stuck`);
}

/** Longest that any of the calls on what cannot be killed may take, ms. */
const boundMs = 60_000;

test('what cannot be killed is named with its state by every call to end it, holds up nobody else, and ends when it can', async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all(['stop', 'remove', 'stop-pod', 'remove-pod'].map((name) => runPod(daemon, name)));
  const containers = await Promise.all(pods.map(runWriter));
  const [stop = '', remove = ''] = containers;
  const [, , stopPod, removedPod] = pods;
  await whileFrozen(volumeOf(daemon.directory), async () => {
    await Promise.all(containers.map(waitUntilStuck));
    const calls = {
      StopContainer: daemon.cri.call('StopContainer', { container_id: stop, timeout: 1 }),
      RemoveContainer: daemon.cri.call('RemoveContainer', { container_id: remove }),
      StopPodSandbox: daemon.cri.call('StopPodSandbox', { pod_sandbox_id: stopPod?.id }),
      RemovePodSandbox: daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: removedPod?.id }),
    };
    const startedMs = performance.now();
    const outcomes = Object.entries(calls).map(async ([method, call]) => {
      const error = await t.throwsAsync<ServiceError>(call, undefined, method);
      t.is(error?.code, status.DEADLINE_EXCEEDED, `${method}: ${error?.details}`);
      t.regex(error?.details ?? '', /process \d+ \(sh\).* in state D/, method);
      t.log(`${method}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s, ${error?.details}`);
      t.true(performance.now() - startedMs < boundMs);
    });
    const other = await runPod(daemon, 'other');
    const id = await runScript(daemon, other, 'c', 'sleep 1000');
    t.is((await exec(daemon, id, 'echo well')).stdout, 'well\n');
    await removePod(daemon, other.id);
    await Promise.all(outcomes);
    t.is((await statusOf(daemon, stop)).state, 'CONTAINER_RUNNING');
  });
  t.is((await exitOf(daemon, stop)).exit_code, 137);
  await Promise.all(pods.map(({ id }) => removePod(daemon, id)));
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
});
