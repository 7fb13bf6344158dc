import type { NamespaceOption } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { SpecInput } from './input.ts';
import type { OciNamespace } from './oci.ts';

/**
 * The namespaces of a container: a mount namespace of its own, on cgroup version 2 a cgroup namespace, and those of the
 * pod by path where the pod has its own. A kind left out is the host's. The uts namespace goes with the network, for a
 * pod on the host's network bears the host's name. Throws `invalid` for modes that the pod does not offer.
 */
export function namespaces(input: SpecInput): OciNamespace[] {
  const { sandbox, container, host } = input;
  const ofPod = sandbox.config.linux?.security_context?.namespace_options ?? null;
  const options = container.config.linux?.security_context?.namespace_options ?? ofPod;
  refuseUserNamespace(options);
  return [
    { type: 'mount' },
    ...(host.cgroupVersion === 2 ? [{ type: 'cgroup' as const }] : []),
    ...(isHost(options?.network)
      ? []
      : [joined('network', sandbox.netnsPath), joined('uts', `/proc/${sandbox.shimPid}/ns/uts`)]),
    ...(isHost(options?.ipc) ? [] : [joined('ipc', `/proc/${sandbox.shimPid}/ns/ipc`)]),
    ...pidNamespace(input, options),
  ];
}

/** True for the host's namespace. */
export function isHost(mode: NamespaceOption['network'] | undefined): boolean {
  return mode === 'NODE';
}

function pidNamespace({ sandbox, targetPid }: SpecInput, options: NamespaceOption | null): OciNamespace[] {
  switch (options?.pid ?? 'POD') {
    case 'NODE':
      return [];
    case 'CONTAINER':
      return [{ type: 'pid' }];
    case 'TARGET':
      if (targetPid === undefined)
        throw new RuntimeError('invalid', `pid namespace of container ${options?.target_id}: it does not run`);
      return [joined('pid', `/proc/${targetPid}/ns/pid`)];
    default:
      if (sandbox.pausePid > 0) return [joined('pid', `/proc/${sandbox.pausePid}/ns/pid`)];
      throw new RuntimeError(
        'invalid',
        `sandbox ${sandbox.id} has no shared pid namespace: ask for pid mode CONTAINER or make the sandbox with POD`,
      );
  }
}

const joined = (type: OciNamespace['type'], path: string): OciNamespace => ({ type, path });

/** CRI UserNamespace: only POD and NODE are modes for it, and POD has to wait for a shim that makes one. */
function refuseUserNamespace(options: NamespaceOption | null): void {
  const mode = options?.userns_options?.mode ?? 'NODE';
  if (mode === 'NODE') return;
  if (mode === 'POD') throw new RuntimeError('unsupported', 'user namespaces for pods are not supported');
  throw new RuntimeError('invalid', `user namespace mode ${mode} is not possible: POD or NODE`);
}
