import type { LifecycleType } from '../../api/events.ts';
import type { PodContext } from '../context.ts';
import type { Sandbox } from '../record.ts';

/** Tells everybody what has just happened to `sandbox`. */
export function tellSandbox(context: PodContext, type: LifecycleType, sandbox: Sandbox): void {
  const atNs = context.changes.stampNs();
  context.publish({
    type,
    atNs,
    podId: sandbox.id,
    podName: sandbox.name,
    podNamespace: sandbox.namespace,
    podUid: sandbox.uid,
  });
  context.changes.tell({ type, atNs, sandbox, container: null });
}
