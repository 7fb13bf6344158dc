import type { LifecycleEvent, LifecycleType } from '../../api/events.ts';
import { nowNs, type PodContext } from '../context.ts';
import { type Container, exitReason } from '../record.ts';

/** A lifecycle event of `container`, as of now. */
export function containerEvent(context: PodContext, type: LifecycleType, container: Container): LifecycleEvent {
  const pod = context.store.sandboxes.get(container.sandboxId);
  return {
    type,
    atNs: BigInt(nowNs()),
    podId: container.sandboxId,
    ...(pod && { podName: pod.name, podNamespace: pod.namespace, podUid: pod.uid }),
    containerId: container.id,
    containerName: container.name,
    image: container.imageId,
    ...(container.exit && { exitCode: container.exit.exitCode, reason: exitReason(container.exit) }),
  };
}
