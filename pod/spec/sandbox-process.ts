import { type CgroupDriver, cgroupsPath } from '../../host/cgroup.ts';
import type { Sandbox } from '../record.ts';
import { sandboxAnnotations } from './annotations.ts';

/** What the OCI configuration of a sandbox process is made from. */
export type SandboxProcessInput = {
  sandbox: Pick<Sandbox, 'id' | 'name' | 'namespace' | 'uid' | 'namespaces' | 'pausePid' | 'resources'>;
  /** The native binary, static: the one file in the sandbox' own root. */
  native: string;
  netnsPath: string;
  cgroup: { driver: CgroupDriver; parent: string };
};

/** OCI configuration (runtime-spec, config.md) of the container that a sandboxed runtime makes the pod's sandbox of. */
export function sandboxProcessSpec({ sandbox, native, netnsPath, cgroup }: SandboxProcessInput): object {
  const { id } = sandbox;
  const network = sandbox.namespaces.network === 'NODE' ? [] : [{ type: 'network', path: netnsPath }];
  // By that path containers name the pid namespace that they share: with it the sandbox' own first process is its init.
  const pid = sandbox.pausePid > 0 ? { path: `/proc/${sandbox.pausePid}/ns/pid` } : {};
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 65_534, gid: 65_534 }, args: ['/berth-native', 'pause', 'sandbox'], cwd: '/', env: [], noNewPrivileges: true },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/berth-native', type: 'bind', source: native, options: ['bind', 'ro'] },
    ],
    annotations: sandboxAnnotations(sandbox),
    linux: {
      cgroupsPath: cgroupsPath(cgroup.driver, cgroup.parent, id),
      namespaces: [{ type: 'pid', ...pid }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }, ...network],
    },
  };
}
