import { isKind } from '../../api/errors.ts';
import { timed } from '../../api/observe.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import type { PodContext } from '../context.ts';
import { releaseContainer } from './release.ts';
import { killContainer } from './stop.ts';

/** RemoveContainer: ends it if it runs and removes all it holds. Idempotent; an unknown id is fine. */
export async function removeContainer(context: PodContext, id: string, signal: AbortSignal): Promise<void> {
  const container = context.store.containers.find(id);
  if (!container || container.state === 'creating') return;
  context.shims.check(container.sandboxId);
  await unlessAborted(killAndRemove(context, container.id), signal);
}

/** Killed before its turn: a start or update that hangs has the turn until then. */
async function killAndRemove(context: PodContext, id: string): Promise<void> {
  await killContainer(context, id).catch((error: unknown) => {
    // What even the kernel cannot end cannot be removed.
    if (isKind(error, 'timeout')) throw error;
    context.log.warn('container is removed without having been stopped', { container: id, error: String(error) });
  });
  await context.turns.run(id, () => removeInTurn(context, id));
}

async function removeInTurn(context: PodContext, id: string): Promise<void> {
  const container = context.store.containers.get(id);
  if (!container) return;
  await timed(context.meter, 'remove_container', 'release', () => releaseContainer(context, container));
}
