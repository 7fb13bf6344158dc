import type { Exit, ShimEvents } from '../../api/shim.ts';
import type { PodContext } from '../context.ts';
import type { Container } from '../record.ts';
import type { NumberedExit } from '../shim/client.ts';
import { tellContainer } from './event.ts';
import { after, type ProcessEvent } from './state.ts';

/** A container's first process has ended: recorded once, told to who waits and to who listens. */
export function containerExited(context: PodContext, event: NumberedExit): void {
  const { exitCode, signal, oomKilled, finishedAtNs, seq } = event;
  const news = settle(context, event.container, { type: 'exited', exit: { exitCode, signal, oomKilled, finishedAtNs }, seq });
  if (!news || !oomKilled) return;
  context.meter.count('containers_oom');
  tellContainer(context, 'container.oom', news);
}

/** Records of a container's log could not be written. */
export function logLost({ log, meter }: Pick<PodContext, 'log' | 'meter'>, { container, records, reason }: ShimEvents['logLost']): void {
  meter.count('container_log_records_lost', records);
  log.warn('records of a container\'s log are lost: make room where logs are kept', { container, records, reason });
}

/** A container whose end nobody saw, because its shim ended first. */
export function containerLost(context: PodContext, id: string, known: Exit | null, event: ProcessEvent): void {
  settle(context, id, known ? { type: 'exited', exit: known, seq: 0 } : event);
}

/** The record after `event`, or undefined when that was known already. */
function settle(context: PodContext, id: string, event: ProcessEvent): Container | undefined {
  const before = context.store.containers.get(id);
  if (!before) return undefined;
  const now = after(before, event);
  if (now === before || !now.exit) return undefined;
  context.store.containers.put(now);
  context.exits.told(id, now.exit);
  if (now.state === 'exited' && !context.starting.has(id)) tellContainer(context, 'container.exited', now);
  return now;
}
