import type { PodSandboxConfig } from '../api/cri.ts';
import { sandboxKey } from '../pod/record.ts';
import type { Store } from '../pod/store.ts';
import type { RuntimeHandlers } from './server.ts';

/** What tells when a pod of an earlier start is taken up. */
type TakingUp = { store: Pick<Store, 'sandboxes' | 'containers'>; takenUp: (sandboxId: string) => Promise<void> };

/** Rpcs that act on a pod. The others only read: they are answered from the records at once. */
const acting = [
  'RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox', 'UpdatePodSandboxResources', 'PortForward',
  'CreateContainer', 'StartContainer', 'StopContainer', 'RemoveContainer', 'UpdateContainerResources',
  'ReopenContainerLog', 'CheckpointContainer', 'ExecSync', 'Exec', 'Attach',
] as const satisfies (keyof RuntimeHandlers)[];

/** The same handlers, but those that act on a pod of an earlier start wait until it is taken up. */
export function onceTakenUp(taking: TakingUp, handlers: RuntimeHandlers): RuntimeHandlers {
  const waiting = acting.filter((name) => handlers[name]).map((name) => [name, after(taking, handlers[name] as Act)]);
  return { ...handlers, ...(Object.fromEntries(waiting) as RuntimeHandlers) };
}

/** What the requests of those rpcs name their pod by. */
type Request = { pod_sandbox_id?: string; container_id?: string; config?: Pick<PodSandboxConfig, 'metadata'> | null };
type Act = (request: Request, context: unknown) => Promise<object>;

function after({ store, takenUp }: TakingUp, act: Act): Act {
  return async (request, context) => {
    const id = concerned(store, request);
    if (id !== undefined) await takenUp(id);
    return act(request, context);
  };
}

/** The id of the sandbox that the request is about, when there is a record of it. */
function concerned(store: TakingUp['store'], { pod_sandbox_id, container_id, config }: Request): string | undefined {
  if (pod_sandbox_id !== undefined) return store.sandboxes.find(pod_sandbox_id)?.id;
  if (container_id !== undefined) return store.containers.find(container_id)?.sandboxId;
  const named = config?.metadata;
  if (!named) return undefined;
  return [...store.sandboxes.all()].find((one) => sandboxKey(one) === sandboxKey(named))?.id;
}
