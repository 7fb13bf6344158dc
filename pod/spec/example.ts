import { type ContainerConfig, decode, type PodSandboxConfig } from '../../api/cri.ts';
import { CAPABILITIES } from './capabilities.ts';
import type { HostFacts, SpecInput } from './input.ts';

/** Inputs for tests: a plain pod with one container on a plain host; each test changes what it is about. */

/** An empty container configuration as it comes off the wire, with `changes`. */
export function containerConfig(changes: Partial<ContainerConfig> = {}): ContainerConfig {
  return { ...decode('ContainerConfig', Buffer.alloc(0)), metadata: { name: 'main', attempt: 0 }, ...changes };
}

/** An empty security context as it comes off the wire, with `changes`. */
export function security(changes: Partial<Security> = {}): Security {
  return { ...decode('LinuxContainerSecurityContext', Buffer.alloc(0)), ...changes };
}

type Security = NonNullable<NonNullable<ContainerConfig['linux']>['security_context']>;

/** A container configuration with that security context. */
export function secured(changes: Partial<Security>, rest: Partial<ContainerConfig> = {}): ContainerConfig {
  return containerConfig({ linux: { resources: null, security_context: security(changes) }, ...rest });
}

/** A pod named `web` in `default`, with `changes`. */
export function podConfig(changes: Partial<PodSandboxConfig> = {}): PodSandboxConfig {
  const metadata = { name: 'web', namespace: 'default', uid: 'pod-uid', attempt: 0 };
  return { ...decode('PodSandboxConfig', Buffer.alloc(0)), metadata, hostname: 'web-host', ...changes };
}

/** The same pod with that security context. */
export function securedPod(changes: Partial<PodSecurity>): PodSandboxConfig {
  const security_context = { ...decode('LinuxSandboxSecurityContext', Buffer.alloc(0)), ...changes };
  return podConfig({ linux: { ...decode('LinuxPodSandboxConfig', Buffer.alloc(0)), security_context } });
}

type PodSecurity = NonNullable<NonNullable<PodSandboxConfig['linux']>['security_context']>;

/** A root daemon without CAP_SYS_RESOURCE on cgroup version 2. */
export const plainHost: HostFacts = {
  hostname: 'node1',
  cgroupVersion: 2,
  cgroupDriver: 'cgroupfs',
  capabilities: CAPABILITIES.filter((name) => name !== 'CAP_SYS_RESOURCE'),
  oomScoreAdjMin: 0,
  cpusets: true,
  swapAccounting: true,
  hugepageSizes: ['2MB'],
  arch: 'x64',
  kernel: { major: 6, minor: 1 },
  seccompSupported: true,
  selinux: null,
  recursiveReadOnly: true,
  idmapObstacle: '',
  defaultUlimits: [],
};

/** Everything together; the container runs `sh` from an image that runs as root. */
export function specInput(changes: Partial<SpecInput> = {}, config: ContainerConfig = containerConfig()): SpecInput {
  return {
    sandbox: {
      id: 'a'.repeat(64),
      config: podConfig(),
      shimPid: 100,
      pausePid: 101,
      user: null,
      netnsPath: '/run/netns/web',
      files: { hosts: '/pod/hosts', hostname: '/pod/hostname', resolvConf: '/pod/resolv.conf' },
      shmPath: '/pod/shm',
      cgroupParent: '/kubepods/pod1',
    },
    container: { id: 'c'.repeat(64), config },
    image: { env: [], entrypoint: [], cmd: ['sh'], workingDir: '', user: '' },
    etc: {
      passwd: 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/:\n',
      group: 'root:x:0:\nweb:x:34:\nlogs:x:50:www,other\n',
    },
    host: plainHost,
    handler: { privilegedWithoutHostDevices: false },
    labels: null,
    features: { mountOptions: ['rro'], idMappedMounts: true },
    rootfs: '/rootfs',
    ...changes,
  };
}
