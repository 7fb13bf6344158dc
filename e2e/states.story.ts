import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { containerConfig, createContainer, exitOf, type Pod, runPod, runScript } from './harness/pod.ts';
import type { Replies } from './harness/replies.ts';
import { story } from './harness/story.ts';

const stage = story();
const { OK, NOT_FOUND, FAILED_PRECONDITION } = status;

/** In which state a call is made. */
const states = ['created', 'running', 'exited'] as const;

/**
 * What each rpc on a container answers in each state. An exec into a container that does not run is NOT_FOUND, as from
 * CRI-O: the kubelet takes it for a container that has gone.
 */
const ofContainers: [keyof Replies, object, [status, status, status]][] = [
  ['ContainerStatus', {}, [OK, OK, OK]],
  ['ContainerStats', {}, [OK, OK, FAILED_PRECONDITION]],
  ['UpdateContainerResources', { linux: { cpu_shares: 100 } }, [OK, OK, FAILED_PRECONDITION]],
  ['ReopenContainerLog', {}, [FAILED_PRECONDITION, OK, FAILED_PRECONDITION]],
  ['ExecSync', { cmd: ['true'], timeout: 10 }, [NOT_FOUND, OK, NOT_FOUND]],
  ['Exec', { cmd: ['true'], stdout: true }, [NOT_FOUND, OK, NOT_FOUND]],
  ['Attach', { stdout: true }, [NOT_FOUND, OK, NOT_FOUND]],
  ['StartContainer', {}, [OK, FAILED_PRECONDITION, FAILED_PRECONDITION]],
  ['StopContainer', { timeout: 0 }, [OK, OK, OK]],
  ['RemoveContainer', {}, [OK, OK, OK]],
];
for (const [method, request, expected] of ofContainers) {
  test(`${method} answers by the state of the container`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, 'states');
    const ids = await Promise.all(states.map((state) => containerIn(pod, state)));
    const codes = await Promise.all(ids.map((container_id) => codeOf(daemon.cri.call(method, { container_id, ...request }))));
    t.deepEqual(named(codes), named(expected));
  });
}

test('a checkpoint of a container that does not run is refused', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'states');
  for (const state of ['created', 'exited'] as const) {
    const ask = { container_id: await containerIn(pod, state), location: join(daemon.directory, 'checkpoint.tar') };
    t.is(await codeOf(daemon.cri.call('CheckpointContainer', ask)), FAILED_PRECONDITION);
  }
});

/** The same of pods: ready, then stopped. */
const ofPods: [keyof Replies, object, [status, status]][] = [
  ['PodSandboxStatus', {}, [OK, OK]],
  ['PodSandboxStats', {}, [OK, OK]],
  ['UpdatePodSandboxResources', {}, [OK, OK]],
  ['PortForward', { port: [80] }, [OK, FAILED_PRECONDITION]],
  ['CreateContainer', { config: containerConfig('c', ['true']) }, [OK, FAILED_PRECONDITION]],
  ['StopPodSandbox', {}, [OK, OK]],
  ['RemovePodSandbox', {}, [OK, OK]],
];
for (const [method, request, expected] of ofPods) {
  test(`${method} answers by the state of the pod`, async (t) => {
    const { daemon } = stage();
    const [ready, stopped] = await Promise.all([runPod(daemon, 'ready'), runPod(daemon, 'stopped')]);
    await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: stopped.id });
    const answers = [ready, stopped].map(({ id, config }) => {
      const more = method === 'CreateContainer' ? { sandbox_config: config } : {};
      return codeOf(daemon.cri.call(method, { pod_sandbox_id: id, ...more, ...request }));
    });
    t.deepEqual(named(await Promise.all(answers)), named(expected));
  });
}

async function containerIn(pod: Pod, state: (typeof states)[number]): Promise<string> {
  const { daemon } = stage();
  if (state === 'created') return createContainer(daemon, pod, containerConfig(state, ['sleep', '1000']));
  if (state === 'running') return runScript(daemon, pod, state, 'sleep 1000');
  const id = await runScript(daemon, pod, state, 'true');
  await exitOf(daemon, id);
  return id;
}

const codeOf = (call: Promise<unknown>): Promise<status> => call.then(() => OK, (error: { code: status }) => error.code);
const named = (codes: readonly status[]): (string | undefined)[] => codes.map((code) => status[code]);
