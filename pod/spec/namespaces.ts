import type { LinuxContainerSecurityContext, PodSandboxConfig } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { SpecInput } from './input.ts';
import type { OciNamespace } from './oci.ts';
import { refuseOtherUserNamespace } from './user-namespace.ts';

/**
 * The namespaces of a container: a mount namespace of its own, on cgroup version 2 a cgroup namespace, and those of the
 * pod by path where the pod has its own; a kind left out is the host's. Network, ipc and uts are the pod's choice
 * alone, and uts goes with the network, for a pod on the host's network bears the host's name.
 * Throws `invalid` for modes that the pod does not offer.
 */
export function namespaces(input: SpecInput): OciNamespace[] {
  const { sandbox, container, host } = input;
  const { network, ipc } = podNamespaces(input);
  refuseOtherUserNamespace(
    sandbox.config.linux?.security_context?.namespace_options ?? null,
    container.config.linux?.security_context?.namespace_options ?? null,
  );
  const held = (type: 'uts' | 'ipc'): OciNamespace => joined(type, `/proc/${sandbox.shimPid}/ns/${type}`);
  return [
    ...(sandbox.user ? [joined('user', sandbox.user.path)] : []),
    { type: 'mount' },
    ...(host.cgroupVersion === 2 ? [{ type: 'cgroup' as const }] : []),
    ...(network === 'host' ? [] : [joined('network', sandbox.netnsPath), held('uts')]),
    ...(ipc === 'host' ? [] : [held('ipc')]),
    ...pidNamespace(input),
  ];
}

/** Whose network and ipc namespaces the pod's containers are in. */
export function podNamespaces({ sandbox }: Pick<SpecInput, 'sandbox'>): {
  network: 'pod' | 'host';
  ipc: 'pod' | 'host';
} {
  const options = sandbox.config.linux?.security_context?.namespace_options;
  return { network: options?.network === 'NODE' ? 'host' : 'pod', ipc: options?.ipc === 'NODE' ? 'host' : 'pod' };
}

/** Which of the host's namespaces the containers of a pod are in. */
export function sharedWithHost(pod: PodSandboxConfig): { network: boolean; ipc: boolean; pid: boolean } {
  const options = pod.linux?.security_context?.namespace_options;
  return { network: options?.network === 'NODE', ipc: options?.ipc === 'NODE', pid: options?.pid === 'NODE' };
}

/** True for a container whose pod has a user namespace of its own. */
export function wantsUserNamespace(security: LinuxContainerSecurityContext | null): boolean {
  return security?.namespace_options?.userns_options?.mode === 'POD';
}

function pidNamespace({ sandbox, container, targetPid }: SpecInput): OciNamespace[] {
  const ofPod = sandbox.config.linux?.security_context?.namespace_options?.pid ?? 'POD';
  const options = container.config.linux?.security_context?.namespace_options;
  const refuse = (why: string): RuntimeError =>
    new RuntimeError('invalid', `pid namespace in sandbox ${sandbox.id}: ${why}`);
  switch (options?.pid ?? ofPod) {
    case 'CONTAINER':
      return [{ type: 'pid' }];
    case 'TARGET':
      if (targetPid === undefined) throw refuse(`target container ${options?.target_id} does not run`);
      return [joined('pid', `/proc/${targetPid}/ns/pid`)];
    case 'NODE':
      if (ofPod !== 'NODE') throw refuse('mode NODE is for sandboxes that were made with it');
      return [];
    default:
      if (ofPod === 'NODE') return [];
      if (sandbox.pausePid === 0) throw refuse('mode POD is for sandboxes that were made with it');
      return [joined('pid', `/proc/${sandbox.pausePid}/ns/pid`)];
  }
}

const joined = (type: OciNamespace['type'], path: string): OciNamespace => ({ type, path });
