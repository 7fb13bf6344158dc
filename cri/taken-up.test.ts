import test from 'ava';
import type { Container, Sandbox } from '../pod/record.ts';
import { onceTakenUp } from './taken-up.ts';

const sandbox = { id: 'pod', name: 'n', namespace: 'ns', uid: 'u', attempt: 1 } as Sandbox;
const container = { id: 'container', sandboxId: 'pod' } as Container;
const store = { sandboxes: shelf(sandbox), containers: shelf(container) };

const acts = [
  ['StopPodSandbox', { pod_sandbox_id: 'pod' }],
  ['StartContainer', { container_id: 'container' }],
  ['RunPodSandbox', { config: { metadata: { name: 'n', namespace: 'ns', uid: 'u', attempt: 1 } } }],
] as const;

for (const [name, request] of acts) {
  test(`${name} waits until the pod that it is about is taken up`, async (t) => {
    const taken = Promise.withResolvers<void>();
    const asked: string[] = [];
    const done: string[] = [];
    const handler = async (): Promise<object> => {
      done.push(name);
      return {};
    };
    const takenUp = (id: string): Promise<void> => {
      asked.push(id);
      return taken.promise;
    };
    const { [name]: act } = onceTakenUp({ store, takenUp }, { [name]: handler });
    const answered = act?.(request as never, {} as never);
    await new Promise(setImmediate);
    t.deepEqual({ asked, done }, { asked: ['pod'], done: [] });
    taken.resolve();
    await answered;
    t.deepEqual(done, [name]);
  });
}

test('a call about a pod without record, and one that only reads, wait for nobody', async (t) => {
  const never = new Promise<void>(() => undefined);
  const handler = async (): Promise<never> => ({}) as never;
  const handlers = onceTakenUp({ store, takenUp: () => never }, { RemoveContainer: handler, PodSandboxStatus: handler });
  t.deepEqual(await handlers.RemoveContainer?.({ container_id: 'other' }, {} as never), {});
  t.deepEqual(await handlers.PodSandboxStatus?.({ pod_sandbox_id: 'pod', verbose: false }, {} as never), {} as never);
});

function shelf<T extends { id: string }>(record: T) {
  const view = new Map([[record.id, record]]);
  return { all: () => view.values(), get: (id: string) => view.get(id), find: (id: string) => view.get(id), put: (one: T) => one, remove: () => undefined };
}
