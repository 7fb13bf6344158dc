import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { repository } from './harness/paths.ts';
import { containerConfig, podConfig } from './harness/pod.ts';
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
  ['PodSandboxStats', { pod_sandbox_id: unknown }],
  ['UpdatePodSandboxResources', { pod_sandbox_id: unknown }],
  ['PortForward', { pod_sandbox_id: unknown, port: [80] }],
  ['CheckpointPod', { pod_sandbox_id: unknown, output_path: '/nowhere', container_ids: [unknown] }],
  ['CreateContainer', { pod_sandbox_id: unknown, config: containerConfig('c', ['true']), sandbox_config: {} }],
  ['StartContainer', { container_id: unknown }],
  ['ContainerStatus', { container_id: unknown }],
  ['ContainerStats', { container_id: unknown }],
  ['ReopenContainerLog', { container_id: unknown }],
  ['UpdateContainerResources', { container_id: unknown, linux: {} }],
  ['ExecSync', { container_id: unknown, cmd: ['true'] }],
  ['Exec', { container_id: unknown, cmd: ['true'], stdout: true }],
  ['Attach', { container_id: unknown, stdout: true }],
  ['CheckpointContainer', { container_id: unknown, location: '/nowhere/checkpoint.tar' }],
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

test('every rpc that takes an id is in one of these tables', (t) => {
  type Table = { services: Record<string, Record<string, [string]>>; messages: Record<string, object> };
  const { services, messages } = JSON.parse(readFileSync(join(repository, 'api/cri-v1-fields.json'), 'utf8')) as Table;
  const taking = Object.entries(services['RuntimeService'] ?? {}).flatMap(([name, [request]]) => {
    const fields = Object.keys(messages[request] ?? {});
    return fields.includes('container_id') || fields.includes('pod_sandbox_id') ? [name] : [];
  });
  const tried = new Set<string>([...refused, ...accepted].map(([method]) => method));
  t.true(taking.length > 15);
  t.deepEqual(taking.filter((name) => !tried.has(name)), []);
});

test('an image nobody has has an empty status', async (t) => {
  t.is((await stage().daemon.cri.call('ImageStatus', { image: { image: 'docker.io/berth/absent:1' } })).image, null);
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
