import type { ContainerConfig, PodSandboxConfig } from '../../api/cri.ts';
import type { SelinuxLabels } from '../../api/engine.ts';
import type { CgroupDriver } from '../../host/cgroup.ts';
import type { RuntimeFeatures } from '../runtime-features.ts';
import type { UserNamespace } from '../record.ts';
import type { SelinuxPolicy } from '../selinux/label.ts';
import type { OciDevice, OciRlimit } from './oci.ts';

/** What decides a container's OCI configuration. */
export type SpecInput = {
  sandbox: {
    id: string;
    config: PodSandboxConfig;
    /** The shim holds the pod's ipc and uts namespaces by being in them. */
    shimPid: number;
    /** PID 1 of the pod's shared pid namespace; 0 when there is none. */
    pausePid: number;
    /** The pod's own user namespace; null with the host's. */
    user: UserNamespace | null;
    /** Where the pod's network namespace is pinned; unused with the host's network. */
    netnsPath: string;
    /** Files of the pod, bind-mounted where the kubelet mounts none. */
    files: { hosts: string; hostname: string; resolvConf: string };
    /** The pod's tmpfs for /dev/shm; unused with the host's ipc. */
    shmPath: string;
    /** The pod's cgroup (a path) or slice. */
    cgroupParent: string;
  };
  /** Host paths of mounts are expected resolved (no symlinks) and present; images are mounted and bound from there. */
  container: { id: string; config: ContainerConfig };
  image: ImageDefaults;
  /** Texts of /etc/passwd and /etc/group of the container's root file system; empty when absent. */
  etc: { passwd: string; group: string };
  host: HostFacts;
  /** What the OCI runtime of the pod can do. */
  features: RuntimeFeatures;
  handler: HandlerSettings;
  /** Null for none. */
  labels: SelinuxLabels | null;
  /** Absolute path of the mounted root file system. */
  rootfs: string;
  /** First process of the container whose pid namespace is joined (namespace mode TARGET). */
  targetPid?: number;
  /** What `gather` found for this container; left out when it asks for no device, profile or propagation. */
  found?: Found;
};

/** What the operator has chosen for the pods of one handler. */
export type HandlerSettings = { privilegedWithoutHostDevices: boolean };

/** What an image says about the process to run (OCI image-spec, config.md). */
export type ImageDefaults = { env: string[]; entrypoint: string[]; cmd: string[]; workingDir: string; user: string };

/** What this machine and this daemon allow; gathered once at start by `hostFacts`. */
export type HostFacts = {
  hostname: string;
  cgroupVersion: 1 | 2;
  cgroupDriver: CgroupDriver;
  /** The daemon's own capabilities, `CAP_…`; no container gets more. */
  capabilities: string[];
  /** Lowest oom_score_adj that the daemon may give. */
  oomScoreAdjMin: number;
  /** Whether a container can be bound to processors and memory nodes (the cpuset controller). */
  cpusets: boolean;
  /** Whether memory and swap can be limited together. */
  swapAccounting: boolean;
  /** Sizes of huge pages that cgroups can limit here, e.g. `2MB`. */
  hugepageSizes: string[];
  /** `x64`, `arm64`, … as Node names them. */
  arch: string;
  kernel: { major: number; minor: number };
  seccompSupported: boolean;
  /** Null where containers get no SELinux labels. */
  selinux: SelinuxPolicy | null;
  /** Whether the kernel can make mounts read-only with all that is below them (mount_setattr(2), Linux 5.12). */
  recursiveReadOnly: boolean;
  /** What stands in the way of user namespaces with images below the root directory; empty when nothing does. */
  idmapObstacle: string;
  /** Limits given to every container, already within what the daemon may set. */
  defaultUlimits: OciRlimit[];
};

/** What was looked up on the host for one container. */
export type Found = {
  /** Nodes of the asked devices and the accesses allowed on them. */
  devices: FoundDevice[];
  /** Text of the Localhost seccomp profile; null when none is asked for. */
  seccompProfile: string | null;
  /** /proc/self/mountinfo; empty when no mount asks for propagation. */
  mountinfo: string;
  /** Names of the AppArmor profiles loaded now; null where AppArmor is off. */
  apparmorProfiles: string[] | null;
};

/** A device node; `access` is a subset of `rwm`. */
export type FoundDevice = OciDevice & { access: string };

/** Who the container's processes run as; `groups` has the primary group first. */
export type ResolvedUser = { uid: number; gid: number; groups: number[] };
