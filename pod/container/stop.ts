import { isKind, whileDoing } from '../../api/errors.ts';
import { timed } from '../../api/observe.ts';
import { KILL_TIMEOUT_MS, nowNs, type PodContext } from '../context.ts';
import type { Container } from '../record.ts';
import { containerLost } from './news.ts';
import { containerCgroup } from './plan.ts';

/**
 * StopContainer: the stop signal, then SIGKILL after `graceMs` (0: at once); returns when the process has ended. An
 * unknown or ended container is fine; a second stop may only shorten the wait. Aborting ends the wait, not the stop.
 */
export async function stopContainer(context: PodContext, id: string, graceMs: number, signal: AbortSignal): Promise<void> {
  const container = context.store.containers.find(id);
  if (!container || !alive(container)) return;
  await timed(context.meter, 'stop_container', 'process', () => stopAlive(context, container, graceMs, signal));
}

/** Ends a container at once, also one whose shim is gone or hangs. Throws when even the kernel cannot end it in time. */
export async function killContainer(context: PodContext, id: string): Promise<void> {
  try {
    await stopContainer(context, id, 0, AbortSignal.timeout(KILL_TIMEOUT_MS));
  } catch (error) {
    const container = context.store.containers.get(id);
    if (!container || !alive(container)) return;
    context.log.warn('container is killed by its cgroup', { container: id, because: whileDoing('stop', error).message });
    await context.engine.call('removeCgroup', { dirs: containerCgroup(context, container), timeoutMs: KILL_TIMEOUT_MS });
    if (isKind(error, 'timeout')) context.shims.abandon(container.sandboxId);
    const message = isKind(error, 'unavailable') ? 'its shim had ended' : 'its shim did not end it';
    containerLost(context, id, null, { type: 'lost', message, atNs: nowNs() });
  }
}

async function stopAlive(context: PodContext, container: Container, graceMs: number, signal: AbortSignal): Promise<void> {
  const ended = context.exits.next(container.id, signal);
  ended.catch(() => undefined);
  // A process that has not been started cannot heed a signal, nor be asked to end in time.
  const patience = container.state === 'running' ? graceMs : 0;
  await context.shims.of(container.sandboxId).call('stop', {
    container: container.id, signal: container.stopSignal, graceMs: patience,
  });
  if (alive(context.store.containers.get(container.id))) await ended;
}

function alive(container: Container | undefined): boolean {
  return container?.state === 'running' || container?.state === 'created';
}
