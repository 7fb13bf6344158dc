import type { ContainerConfig, PodSandboxConfig } from '../../api/cri.ts';
import { asksForLabel } from './label.ts';

/**
 * Whether a container is kept apart from the host by its label. Privileged ones are not, nor those that share the
 * host's processes or ipc, or its network unless `hostNetwork` says so, for what they are there for would be denied;
 * but a label that is asked for counts for all except privileged ones.
 */
export function isConfined(pod: PodSandboxConfig, container: ContainerConfig, hostNetwork: boolean): boolean {
  const [ofPod, own] = [pod.linux?.security_context, container.linux?.security_context];
  if (own?.privileged) return false;
  if (asksForLabel(own?.selinux_options) || asksForLabel(ofPod?.selinux_options)) return true;
  const shared = ofPod?.namespace_options;
  return shared?.pid !== 'NODE' && shared?.ipc !== 'NODE' && (hostNetwork || shared?.network !== 'NODE');
}
