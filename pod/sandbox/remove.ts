import { timed } from '../../api/observe.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import type { PodContext } from '../context.ts';
import { releaseSandbox } from './release.ts';
import { stopInTurn } from './stop.ts';

/** RemovePodSandbox: stops the sandbox if need be, removes its containers and all it holds. Idempotent; an unknown id is fine. */
export async function removeSandbox(context: PodContext, id: string, signal: AbortSignal): Promise<void> {
  const sandbox = context.store.sandboxes.find(id);
  if (!sandbox || sandbox.state === 'creating') return;
  await unlessAborted(context.turns.run(sandbox.id, () => removeInTurn(context, sandbox.id)), signal);
}

async function removeInTurn(context: PodContext, id: string): Promise<void> {
  const stopped = await stopInTurn(context, id);
  if (!stopped) return;
  await timed(context.meter, 'remove_pod', 'release', () => releaseSandbox(context, stopped));
}
