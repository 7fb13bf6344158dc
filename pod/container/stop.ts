import { isKind, RuntimeError, whileDoing } from '../../api/errors.ts';
import { timed } from '../../api/observe.ts';
import { processState } from '../../host/process-state.ts';
import { KILL_TIMEOUT_MS, nowNs, type PodContext } from '../context.ts';
import { endCgroup } from '../end-cgroup.ts';
import type { Container } from '../record.ts';
import { containerLost } from './news.ts';
import { containerCgroup } from './plan.ts';

/**
 * StopContainer: the stop signal, then SIGKILL after `graceMs` (0: at once); returns when the process has ended. An
 * unknown or ended container is fine; a second stop may only shorten the wait. Aborting ends the wait, not the stop.
 * Throws `timeout` when even SIGKILL does not end it; the stop goes on, and what ends later is recorded then.
 */
export async function stopContainer(context: PodContext, id: string, graceMs: number, signal: AbortSignal): Promise<void> {
  const container = context.store.containers.find(id);
  if (!container || !alive(container)) return;
  const late = AbortSignal.timeout(Math.min(graceMs + END_LIMIT_MS, MAX_TIMER_MS));
  try {
    await timed(context.meter, 'stop_container', 'process', () => stopAlive(context, container, graceMs, AbortSignal.any([signal, late])));
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error;
    throw new RuntimeError('timeout', `stop container ${id}: it has not ended ${END_LIMIT_MS / 1000} s after SIGKILL: ${processState(container.pid)}`);
  }
}

/** How long a process may take to end once it is killed, in milliseconds; one in the kernel's own work ends after that. */
const END_LIMIT_MS = 20_000;

/** What a timer of Node can wait for, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Ends a container at once, also one whose shim is gone or hangs. Throws when even the kernel cannot end it in time. */
export async function killContainer(context: PodContext, id: string): Promise<void> {
  try {
    await stopContainer(context, id, 0, AbortSignal.timeout(KILL_TIMEOUT_MS));
  } catch (error) {
    const container = context.store.containers.get(id);
    if (!container || !alive(container)) return;
    context.log.warn('container is killed by its cgroup', { container: id, because: whileDoing('stop', error).message });
    await endCgroup(context.engine, containerCgroup(context, container));
    if (await endIsTold(context, container)) return;
    if (isKind(error, 'timeout')) context.shims.abandon(container.sandboxId);
    const message = isKind(error, 'unavailable') ? 'its shim had ended' : 'its shim did not end it';
    containerLost(context, id, null, { type: 'lost', message, atNs: nowNs() });
  }
}

/** How long the shim may take to tell the end of what the kernel has ended by now, in milliseconds. */
const NEWS_LIMIT_MS = 2_000;

/** Whether the shim, if it is there, tells how the container ended. */
async function endIsTold(context: PodContext, { id, sandboxId }: Container): Promise<boolean> {
  if (context.shims.state(sandboxId) !== 'serving') return false;
  if (alive(context.store.containers.get(id))) await context.exits.next(id, AbortSignal.timeout(NEWS_LIMIT_MS)).catch(() => undefined);
  return !alive(context.store.containers.get(id));
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
