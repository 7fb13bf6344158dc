import type { Exit, ShimEvents } from '../../api/shim.ts';
import type { PodContext } from '../context.ts';
import { containerEvent } from './event.ts';
import { after, type ProcessEvent } from './state.ts';

/** A container's first process has ended: recorded once, told to who waits and to who listens. */
export function containerExited(context: PodContext, event: ShimEvents['exit']): void {
  const { exitCode, signal, oomKilled, finishedAtNs } = event;
  settle(context, event.container, { type: 'exited', exit: { exitCode, signal, oomKilled, finishedAtNs } });
  if (oomKilled) context.meter.count('containers_oom');
}

/** A container whose end nobody saw, because its shim ended first. */
export function containerLost(context: PodContext, id: string, known: Exit | null, event: ProcessEvent): void {
  settle(context, id, known ? { type: 'exited', exit: known } : event);
}

function settle(context: PodContext, id: string, event: ProcessEvent): void {
  const before = context.store.containers.get(id);
  if (!before) return;
  const now = after(before, event);
  if (now === before || !now.exit) return;
  context.store.containers.put(now);
  context.exits.told(id, now.exit);
  if (now.state === 'exited' && !context.starting.has(id)) context.publish(containerEvent(context, 'container.exited', now));
}
