import type { PodSandboxConfig } from '../../api/cri.ts';
import type { Sandbox } from '../record.ts';
import { sandboxAnnotations } from './annotations.ts';

/**
 * A pod as the OCI configuration of its sandbox, under CRI-O's annotations: for agents that read a pod's network,
 * namespaces and cgroup out of its verbose status. No process is made from it.
 */
export function sandboxView(sandbox: Sandbox, config: PodSandboxConfig, netnsPath: string): object {
  const { attachment, namespaces, shimPid, pausePid, user } = sandbox;
  const ownNetwork = namespaces.network !== 'NODE';
  const ips = (attachment?.ips ?? []).map((ip, at) => [`io.kubernetes.cri-o.IP.${at}`, ip]);
  return {
    ociVersion: '1.0.2',
    ...(ownNetwork && { hostname: config.hostname }),
    annotations: {
      ...sandboxAnnotations(sandbox),
      'io.kubernetes.cri-o.CgroupParent': sandbox.cgroupParent,
      'io.kubernetes.cri-o.HostNetwork': `${!ownNetwork}`,
      'io.kubernetes.cri-o.LogPath': sandbox.logDirectory,
      'io.kubernetes.cri-o.RuntimeHandler': sandbox.handler,
      ...(attachment && { 'io.kubernetes.cri-o.CNIResult': attachment.resultJson }),
      ...Object.fromEntries(ips),
    },
    linux: {
      sysctl: config.linux?.sysctls ?? {},
      namespaces: [
        ...(ownNetwork ? [{ type: 'network', path: netnsPath }, held('uts', shimPid)] : []),
        ...(namespaces.ipc === 'NODE' ? [] : [held('ipc', shimPid)]),
        ...(pausePid === 0 ? [] : [held('pid', pausePid)]),
        ...(user ? [{ type: 'user', path: user.path }] : []),
      ],
    },
  };
}

const held = (type: string, pid: number): object => ({ type, path: `/proc/${pid}/ns/${type}` });
