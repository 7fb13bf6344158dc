import type { LifecycleEvent, LifecycleType } from '../../api/events.ts';
import { nowNs } from '../context.ts';
import type { Sandbox } from '../record.ts';

/** A lifecycle event of `sandbox`, as of now. */
export function sandboxEvent(type: LifecycleType, sandbox: Sandbox): LifecycleEvent {
  return {
    type,
    atNs: BigInt(nowNs()),
    podId: sandbox.id,
    podName: sandbox.name,
    podNamespace: sandbox.namespace,
    podUid: sandbox.uid,
  };
}
