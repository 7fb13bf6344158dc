import type { Handler, PodContext } from '../context.ts';
import { endCgroup } from '../end-cgroup.ts';
import { containerPaths } from '../paths.ts';
import type { Container } from '../record.ts';
import { runRuntime } from '../runtime-call.ts';
import { clearRuntimeState } from '../runtime-state.ts';
import { isUnable } from '../shim/unable.ts';
import { finishAll, undoUntilDone } from '../teardown.ts';
import { tellContainer } from './event.ts';
import { containerMountPoints } from './image-volumes.ts';
import { containerCgroup, everyContainerCgroup } from './plan.ts';

/** Gives back everything that a container holds, also one half made, and forgets it. Idempotent. */
export async function releaseContainer(context: PodContext, container: Container): Promise<void> {
  const paths = containerPaths(context.roots, container.id);
  await finishAll(`release container ${container.id}`, [
    () => deleteInShim(context, container),
    () => endCgroup(context.engine, everyContainerCgroup(context, container)),
  ]);
  const handler = handlerOf(context, container);
  if (handler) await clearRuntimeState(context.engine, [`${handler.runtime.root}/${container.id}`]);
  // Not before: the runtime needs its bundle to be asked again.
  const unmount = await containerMountPoints(paths);
  await context.engine.call('removeTrees', { unmount, remove: [paths.bundle, paths.writable] });
  const last = context.store.containers.get(container.id);
  context.store.containers.remove(container.id);
  context.exits.forget(container.id);
  if (last && last.state !== 'creating') tellContainer(context, 'container.removed', last);
}

/** Where the shim cannot do it, what remains is killed, then the runtime forgets it. */
async function deleteInShim(context: PodContext, container: Container): Promise<void> {
  try {
    await context.shims.of(container.sandboxId).call('delete', { container: container.id, timeoutMs: context.settings.runtimeTimeout });
  } catch (error) {
    if (!isUnable(error)) throw error;
    await endCgroup(context.engine, containerCgroup(context, container));
    await deleteByRuntime(context, container);
  }
}

function handlerOf({ runtimes }: PodContext, { handler }: Container): Handler | undefined {
  return runtimes.byName.get(handler || runtimes.defaultName);
}

async function deleteByRuntime(context: PodContext, container: Container): Promise<void> {
  const handler = handlerOf(context, container);
  if (!handler) {
    context.log.warn('what the OCI runtime knows of a container remains: its handler is not configured any more', { container: container.id });
    return;
  }
  const words = ['delete', '--force', container.id];
  const { exitCode, stderr } = await runRuntime(context.engine, handler.runtime, words, context.settings.runtimeTimeout);
  if (exitCode !== 0) context.log.warn('OCI runtime cannot delete a container', { container: container.id, stderr: stderr.slice(0, 500) });
}

/** Releases a container that could not be made; what fails now is tried again until it succeeds, under its own id. */
export function releaseOrRetry(context: PodContext, container: Container): Promise<void> {
  return undoUntilDone(context.log, `container ${container.id}`, () => releaseContainer(context, container));
}
