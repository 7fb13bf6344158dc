/**
 * The parts of an OCI runtime configuration (runtime-spec 1.0.2 to 1.2, config.json) that containers here are given.
 */
export type OciSpec = {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly: boolean };
  mounts: OciMount[];
  annotations: Record<string, string>;
  hooks?: OciHooks;
  linux: OciLinux;
};

/** Programs to run at steps of a container's life (config.md, POSIX-platform Hooks); `timeout` in seconds. */
export type OciHooks = { [step in HookName]?: OciHook[] };

export type HookName = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop';

export type OciHook = { path: string; args?: string[]; env?: string[]; timeout?: number };

/** `process` (config.md). */
export type OciProcess = {
  terminal?: boolean;
  user: { uid: number; gid: number; additionalGids: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: OciCapabilities;
  rlimits?: OciRlimit[];
  noNewPrivileges: boolean;
  apparmorProfile?: string;
  selinuxLabel?: string;
  oomScoreAdj?: number;
};

/** Sets of capability names, `CAP_…` (capabilities(7)). */
export type OciCapabilities = {
  bounding: string[];
  effective: string[];
  permitted: string[];
  inheritable: string[];
  ambient: string[];
};

/** A limit of getrlimit(2), `RLIMIT_…`. */
export type OciRlimit = { type: string; soft: number; hard: number };

/** `mounts` (config.md); mappings since 1.2. */
export type OciMount = {
  destination: string;
  type: string;
  source: string;
  options: string[];
  uidMappings?: OciIdMapping[];
  gidMappings?: OciIdMapping[];
};

export type OciIdMapping = { containerID: number; hostID: number; size: number };

/** `linux` (config-linux.md). */
export type OciLinux = {
  namespaces: OciNamespace[];
  uidMappings?: OciIdMapping[];
  gidMappings?: OciIdMapping[];
  devices: OciDevice[];
  cgroupsPath: string;
  resources: OciResources;
  /** By the name that the interface has on the host (runtime-spec 1.3). */
  netDevices?: Record<string, { name: string }>;
  intelRdt?: OciIntelRdt;
  rootfsPropagation?: 'shared' | 'slave' | 'private';
  seccomp?: OciSeccomp;
  maskedPaths: string[];
  readonlyPaths: string[];
  mountLabel?: string;
};

/** Class of the kernel's resource control (config-linux.md, Intel RDT). */
export type OciIntelRdt = {
  closID?: string;
  l3CacheSchema?: string;
  memBwSchema?: string;
  schemata?: string[];
  enableMonitoring?: boolean;
};

/** A namespace to join by `path`, or to make when there is none. */
export type OciNamespace = { type: 'mount' | 'network' | 'ipc' | 'uts' | 'pid' | 'cgroup' | 'user'; path?: string };

/** A device node to make in the container. */
export type OciDevice = {
  path: string;
  type: 'b' | 'c' | 'p';
  major: number;
  minor: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
};

/** `linux.resources` (config-linux.md, Control groups). Sizes in bytes, times in microseconds. */
export type OciResources = {
  devices?: OciDeviceRule[];
  cpu?: { shares?: number; quota?: number; period?: number; cpus?: string; mems?: string };
  memory?: { limit?: number; swap?: number };
  hugepageLimits?: { pageSize: string; limit: number }[];
  unified?: Record<string, string>;
};

export type OciDeviceRule = { allow: boolean; type?: 'a' | 'b' | 'c'; major?: number; minor?: number; access: string };

/** `linux.seccomp` (config-linux.md, Seccomp). */
export type OciSeccomp = {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: OciSyscalls[];
};

export type OciSyscalls = { names: string[]; action: string; errnoRet?: number; args?: OciSyscallArg[] };

export type OciSyscallArg = { index: number; value: number; valueTwo?: number; op: string };
