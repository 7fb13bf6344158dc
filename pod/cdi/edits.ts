import type { FoundDevice } from '../spec/input.ts';
import type { HookName, OciIntelRdt } from '../spec/oci.ts';

/** What a device changes of a container's OCI configuration (CDI SPEC.md, OCI Edits). */
export type Edits = {
  env: string[];
  deviceNodes: DeviceNode[];
  mounts: CdiMount[];
  hooks: CdiHook[];
  netDevices: NetDevice[];
  additionalGids: number[];
  intelRdt: OciIntelRdt | null;
};

/** A device node; what is left out is taken from the node at `hostPath`. */
export type DeviceNode = {
  path: string;
  hostPath: string;
  type: '' | 'b' | 'c' | 'p';
  major: number;
  minor: number;
  fileMode: number | null;
  /** A subset of `rwm`. */
  permissions: string;
  uid: number | null;
  gid: number | null;
};

export type CdiMount = { hostPath: string; containerPath: string; type: string; options: string[] };

/** Runs at the step of the OCI lifecycle that `name` says; `timeout` in seconds. */
export type CdiHook = { name: HookName; path: string; args: string[]; env: string[]; timeout: number | null };

/** A network interface that moves from the host into the container. */
export type NetDevice = { hostInterfaceName: string; name: string };

/** Edits whose device nodes are known whole. An owner that is left out is the container's user. */
export type CompleteEdits = Omit<Edits, 'deviceNodes'> & { deviceNodes: CompleteNode[] };

export type CompleteNode = Omit<FoundDevice, 'uid' | 'gid'> & { uid: number | null; gid: number | null };
