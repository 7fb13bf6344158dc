import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { encodeFrame, frameReader } from '../api/frame.ts';
import type { Daemon } from './harness/daemon.ts';
import { containerConfig, exec, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

test('a pod whose shim speaks another protocol is shown, refused with what to do, and left as it is', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'foreign');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const before = await statusOf(daemon, container_id);
  await daemon.stop();
  const future = await shimOfTheFuture(daemon, pod.id);
  await daemon.start();

  t.deepEqual(await statusOf(daemon, container_id), before);
  t.is((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status.state, 'SANDBOX_READY');
  t.is(await shimState(daemon, pod.id), 'foreign');
  const create = { pod_sandbox_id: pod.id, config: containerConfig('d', ['true']), sandbox_config: pod.config };
  const refused = [
    () => daemon.cri.call('ExecSync', { container_id, cmd: ['true'], timeout: 10 }),
    () => daemon.cri.call('CreateContainer', create),
    () => daemon.cri.call('UpdateContainerResources', { container_id, linux: { cpu_shares: 100 } }),
    () => daemon.cri.call('StopContainer', { container_id, timeout: 0 }),
    () => daemon.cri.call('RemoveContainer', { container_id }),
    () => daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id }),
    () => daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id }),
  ];
  for (const call of refused) {
    await t.throwsAsync(call(), { message: /FAILED_PRECONDITION.*speaks 7 to 9.*start a release of berthd that speaks with it/ });
  }
  t.deepEqual(await statusOf(daemon, container_id), before);

  await future.end();
  await until(async () => (await shimState(daemon, pod.id)) === 'serving', 60_000, 'the shim to be met');
  t.is((await exec(daemon, container_id, 'echo met')).stdout, 'met\n');
  t.deepEqual(await statusOf(daemon, container_id), before);
});

async function shimState(daemon: Daemon, pod_sandbox_id: string): Promise<string> {
  const { info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { shim: string }).shim;
}

/** Stands before a pod's shim and answers as one that speaks none of today's protocols; `end` leaves the shim to itself again. */
async function shimOfTheFuture(daemon: Daemon, podId: string): Promise<{ end(): Promise<void> }> {
  const path = join(daemon.state, 's', podId.slice(0, 16));
  const kept = join(daemon.state, 'kept.sock');
  renameSync(path, kept);
  const error = { kind: 'unsupported', message: 'protocols 1 to 2: this shim, of release 9.0.0, speaks 7 to 9' };
  const server: Server = createServer((connection) => {
    const reader = frameReader();
    connection.on('error', () => undefined);
    connection.on('data', (chunk: Buffer) => {
      for (const message of reader.feed(chunk)) connection.write(encodeFrame({ id: (message as { id: number }).id, error }));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    end: async () => {
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
      renameSync(kept, path);
    },
  };
}
