import { type CgroupDriver, cgroupsPath } from '../../host/cgroup.ts';
import type { Sandbox } from '../record.ts';

/** What the OCI configuration of a sandbox process is made from. */
export type SandboxProcessInput = {
  sandbox: Pick<Sandbox, 'id' | 'name' | 'namespace' | 'uid' | 'namespaces'>;
  /** The native binary, static: the one file in the sandbox' own root. */
  native: string;
  netnsPath: string;
  cgroup: { driver: CgroupDriver; parent: string };
};

/** OCI configuration (runtime-spec, config.md) of the container that a sandboxed runtime makes the pod's sandbox of. */
export function sandboxProcessSpec({ sandbox, native, netnsPath, cgroup }: SandboxProcessInput): object {
  const { id, name, namespace, uid } = sandbox;
  const network = sandbox.namespaces.network === 'NODE' ? [] : [{ type: 'network', path: netnsPath }];
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 65_534, gid: 65_534 }, args: ['/berth-native', 'pause', 'sandbox'], cwd: '/', env: [], noNewPrivileges: true },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/berth-native', type: 'bind', source: native, options: ['bind', 'ro'] },
    ],
    annotations: {
      'io.kubernetes.cri.container-type': 'sandbox',
      'io.kubernetes.cri.sandbox-id': id,
      'io.kubernetes.cri.sandbox-name': name,
      'io.kubernetes.cri.sandbox-namespace': namespace,
      'io.kubernetes.cri.sandbox-uid': uid,
      'io.kubernetes.cri-o.ContainerType': 'sandbox',
      'io.kubernetes.cri-o.SandboxID': id,
    },
    linux: {
      cgroupsPath: cgroupsPath(cgroup.driver, cgroup.parent, id),
      namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }, ...network],
    },
  };
}
