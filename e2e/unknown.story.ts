import { status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { containerConfig, podConfig, runPod } from './harness/pod.ts';
import type { Replies } from './harness/replies.ts';
import { story } from './harness/story.ts';

const stage = story();
const unknown = 'f'.repeat(64);

async function codeOf(t: ExecutionContext, method: keyof Replies, request: object): Promise<number | undefined> {
  const error = await t.throwsAsync(stage().daemon.cri.call(method, request), undefined, `${method} was accepted`);
  return (error as (Error & { code?: number }) | undefined)?.code;
}

const refused: [keyof Replies, object][] = [
  ['PodSandboxStatus', { pod_sandbox_id: unknown }],
  ['StartContainer', { container_id: unknown }],
  ['ContainerStatus', { container_id: unknown }],
  ['ContainerStats', { container_id: unknown }],
  ['ReopenContainerLog', { container_id: unknown }],
  ['UpdateContainerResources', { container_id: unknown, linux: {} }],
  ['ExecSync', { container_id: unknown, cmd: ['true'] }],
];
for (const [method, request] of refused) {
  test(`${method} of an unknown id is answered with NotFound`, async (t) => {
    t.is(await codeOf(t, method, request), status.NOT_FOUND);
  });
}

const accepted: [keyof Replies, object][] = [
  ['StopPodSandbox', { pod_sandbox_id: unknown }],
  ['RemovePodSandbox', { pod_sandbox_id: unknown }],
  ['StopContainer', { container_id: unknown, timeout: 0 }],
  ['RemoveContainer', { container_id: unknown }],
  ['RemoveImage', { image: { image: 'docker.io/berth/absent:1' } }],
];
for (const [method, request] of accepted) {
  test(`${method} of an unknown id is done already`, async (t) => {
    await t.notThrowsAsync(stage().daemon.cri.call(method, request));
  });
}

test('a container in an unknown pod is answered with NotFound, in a stopped one with FailedPrecondition', async (t) => {
  const { daemon } = stage();
  const sandbox_config = podConfig(daemon, 'nowhere');
  const config = containerConfig('c', ['true']);
  t.is(await codeOf(t, 'CreateContainer', { pod_sandbox_id: unknown, config, sandbox_config }), status.NOT_FOUND);
  const pod = await runPod(daemon, 'stopped');
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.is(
    await codeOf(t, 'CreateContainer', { pod_sandbox_id: pod.id, config, sandbox_config: pod.config }),
    status.FAILED_PRECONDITION,
  );
});

test('requests without what they need are answered with InvalidArgument', async (t) => {
  t.is(await codeOf(t, 'RunPodSandbox', {}), status.INVALID_ARGUMENT);
  t.is(await codeOf(t, 'RunPodSandbox', { config: { metadata: { name: '' } } }), status.INVALID_ARGUMENT);
  t.is(await codeOf(t, 'PullImage', { image: { image: 'Not A Reference!' } }), status.INVALID_ARGUMENT);
});

test('an unknown runtime handler is refused and leaves no pod', async (t) => {
  const { daemon } = stage();
  await codeOf(t, 'RunPodSandbox', { config: podConfig(daemon, 'handler'), runtime_handler: 'no-such-handler' });
  t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
});

test('a filter that matches nothing gives an empty list', async (t) => {
  const { daemon } = stage();
  t.deepEqual((await daemon.cri.call('ListPodSandbox', { filter: { id: unknown } })).items, []);
  t.deepEqual((await daemon.cri.call('ListContainers', { filter: { label_selector: { no: 'such' } } })).containers, []);
});
