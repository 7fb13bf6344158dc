import type { ContainerConfig, PodSandboxConfig, SELinuxOption } from '../../api/cri.ts';
import { sharedWithHost } from './namespaces.ts';

/** The label that a pod or container asks for, part by part; null when it asks for none. */
export function askedLabel({ linux }: PodSandboxConfig | ContainerConfig): SELinuxOption | null {
  const options = linux?.security_context?.selinux_options ?? null;
  return options && Object.values(options).some((part) => part !== '') ? options : null;
}

/**
 * Whether a container is kept apart from the host by its label. Privileged ones are not, nor those that share the
 * host's processes or ipc, or its network unless `hostNetwork` says so, for what they are there for would be denied;
 * but a label that is asked for counts for all except privileged ones.
 */
export function isConfined(pod: PodSandboxConfig, container: ContainerConfig, hostNetwork: boolean): boolean {
  if (container.linux?.security_context?.privileged) return false;
  if (askedLabel(container) || askedLabel(pod)) return true;
  const { network, ipc, pid } = sharedWithHost(pod);
  return !pid && !ipc && (hostNetwork || !network);
}
