import { unlessAborted } from '../../host/unless-aborted.ts';
import type { PodContext } from '../context.ts';
import type { SandboxResources } from '../record.ts';
import { knownSandbox } from './known.ts';

/**
 * UpdatePodSandboxResources: keeps what the kubelet, which sizes the pod's cgroup itself, says of the pod. Null leaves
 * what was told before. Throws `not-found`.
 */
export async function updateSandbox(context: PodContext, id: string, told: SandboxResources, signal: AbortSignal): Promise<void> {
  const sandbox = knownSandbox(context, id);
  await unlessAborted(context.turns.run(sandbox.id, async () => {
    const now = knownSandbox(context, sandbox.id);
    const before = now.resources ?? { overhead: null, resources: null };
    const resources = { overhead: told.overhead ?? before.overhead, resources: told.resources ?? before.resources };
    context.store.sandboxes.put({ ...now, resources });
  }), signal);
}
