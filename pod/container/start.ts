import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { timed } from '../../api/observe.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import type { PodContext } from '../context.ts';
import type { Container } from '../record.ts';
import { tellContainer } from './event.ts';
import { after } from './state.ts';

/** StartContainer. Throws `not-found`, or `wrong-state` unless the container is in state created. */
export async function startContainer(context: PodContext, id: string, signal: AbortSignal): Promise<void> {
  const container = knownContainer(context, id);
  await unlessAborted(context.turns.run(container.id, () => startInTurn(context, container.id)), signal);
}

async function startInTurn(context: PodContext, id: string): Promise<void> {
  const { store } = context;
  const container = knownContainer(context, id);
  if (container.state !== 'created') {
    throw new RuntimeError('wrong-state', `container ${id} is ${container.state}: only a created one can be started`);
  }
  context.starting.add(id);
  try {
    const { startedAtNs } = await timed(context.meter, 'start_container', 'runtime', () =>
      context.shims.of(container.sandboxId).call('start', { container: id, timeoutMs: context.settings.runtimeTimeout }),
    );
    const started = store.containers.put(after(knownContainer(context, id), { type: 'started', atNs: startedAtNs }));
    tellContainer(context, 'container.started', started);
  } catch (error) {
    const now = store.containers.get(id);
    if (now) store.containers.put({ ...now, message: String(error instanceof Error ? error.message : error) });
    throw whileDoing(`start container ${container.name} (${id})`, error);
  } finally {
    context.starting.delete(id);
    const now = store.containers.get(id);
    if (now?.state === 'exited') tellContainer(context, 'container.exited', now);
  }
}

/** The container with that id or id prefix. Throws `not-found`. */
export function knownContainer(context: PodContext, id: string): Container {
  const container = context.store.containers.find(id);
  if (!container || container.state === 'creating') throw new RuntimeError('not-found', `no container ${id}`);
  return container;
}
