import type { LifecycleType } from '../../api/events.ts';
import type { PodContext } from '../context.ts';
import { type Container, exitReason } from '../record.ts';

/** Tells everybody what has just happened to `container`; its sandbox is still in the store. */
export function tellContainer(context: PodContext, type: LifecycleType, container: Container): void {
  const sandbox = context.store.sandboxes.get(container.sandboxId);
  const atNs = context.changes.stampNs();
  context.publish({
    type,
    atNs,
    podId: container.sandboxId,
    ...(sandbox && { podName: sandbox.name, podNamespace: sandbox.namespace, podUid: sandbox.uid }),
    containerId: container.id,
    containerName: container.name,
    image: container.imageId,
    ...(container.exit && { exitCode: container.exit.exitCode, reason: exitReason(container.exit) }),
  });
  if (sandbox) context.changes.tell({ type, atNs, sandbox, container });
}
