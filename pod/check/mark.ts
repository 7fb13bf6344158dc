import type { Problem } from '../../api/problem.ts';
import type { PodContext } from '../context.ts';
import { tellSandbox } from '../sandbox/event.ts';
import { lastingLacks } from './check.ts';

/**
 * After a start: says of each record that lacks something what that is, in its status, the log and a metric. No record goes:
 * the kubelet has to learn what became of its pods.
 */
export async function markIncomplete(context: PodContext): Promise<void> {
  for (const problem of await lastingLacks(context).catch((error: unknown) => notLooked(context, error))) {
    const { kind, id, path, what } = problem;
    const marked = markedSandbox(context, problem) || markedContainer(context, problem);
    if (!marked) continue;
    context.meter.count('records_incomplete');
    context.log.error('a record lacks what it needs', { kind, id, path, what });
  }
}

function notLooked({ log }: PodContext, error: unknown): Problem[] {
  log.warn('pods of an earlier start were not looked at', { error: String(error) });
  return [];
}

/** A pod without its network can have no more containers, so it is not ready: the kubelet makes another. */
function markedSandbox(context: PodContext, { kind, id, what }: Problem): boolean {
  const sandbox = context.store.sandboxes.get(id);
  // Whether a shim can be asked is shown as it is at the moment.
  if (sandbox === undefined || kind === 'pod-shim') return false;
  const ends = kind === 'pod-netns' && sandbox.state === 'ready';
  const marked = context.store.sandboxes.put({ ...sandbox, lacks: [...(sandbox.lacks ?? []), what], ...(ends && { state: 'stopped' }) });
  if (ends) tellSandbox(context, 'pod.stopped', marked);
  return true;
}

function markedContainer(context: PodContext, { id, what }: Problem): boolean {
  const container = context.store.containers.get(id);
  if (container === undefined || container.exit) return false;
  context.store.containers.put({ ...container, message: what });
  return true;
}
