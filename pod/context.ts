import type { Publish } from '../api/events.ts';
import type { Log, Meter } from '../api/observe.ts';
import type { OciRuntime } from '../api/shim.ts';
import type { CgroupDriver, Hierarchies } from '../host/cgroup.ts';
import { wallClockNs } from '../host/clock.ts';
import type { Engine } from '../host/engine.ts';
import type { KeyedQueue } from '../host/queue.ts';
import type { Images } from '../image/records/record.ts';
import type { Changes } from './changes.ts';
import type { VolumePolicy } from './container/declared-volumes.ts';
import type { ExitWaiters } from './exits.ts';
import type { Network } from './network/cni.ts';
import type { Operations } from './operations.ts';
import type { Roots } from './paths.ts';
import type { RuntimeFeatures } from './runtime-features.ts';
import type { Shims } from './shim/shims.ts';
import type { HandlerSettings, HostFacts } from './spec/input.ts';
import type { Store } from './store.ts';

/** What every verb of the pod core stands on; made once by `cri/main.ts` and handed down. */
export type PodContext = {
  roots: Roots;
  store: Store;
  engine: Engine;
  images: Images;
  network: Network;
  shims: Shims;
  /** Turns by object id: one multi-step change of a pod or container at a time. */
  turns: KeyedQueue;
  operations: Operations;
  exits: ExitWaiters;
  /** Containers whose start is on its way; their end is told after it, however soon it comes. */
  starting: Set<string>;
  runtimes: Runtimes;
  cgroup: { driver: CgroupDriver; host: Hierarchies; defaultParent: string };
  host: HostFacts;
  /** The native binary, static: it runs in an empty root. */
  native: string;
  settings: Settings;
  log: Log;
  meter: Meter;
  publish: Publish;
  changes: Changes;
};

/** What the operator has chosen for all containers. */
export type Settings = {
  /** Host paths of mounts that are an error when they are missing; others are made. */
  absentMountSourcesToReject: readonly string[];
  imageVolumes: VolumePolicy;
  /** Whether SELinux confines pods on the host's network too. */
  hostNetworkSelinux: boolean;
  /** Where the files of CDI devices are; later ones count more. */
  cdiSpecDirs: readonly string[];
  /** The longest that an OCI runtime's verb may take, in milliseconds. */
  runtimeTimeout: number;
};

/** What runs the containers of pods that ask for one handler. */
export type Handler = { runtime: OciRuntime; features: RuntimeFeatures; settings: HandlerSettings };

/** The handlers by name. */
export type Runtimes = { byName: ReadonlyMap<string, Handler>; defaultName: string };

/** Wall clock, nanoseconds since 1970 (millisecond resolution), decimal. */
export function nowNs(): string {
  return wallClockNs().toString();
}

/** How long the kernel may take to end the processes of a killed cgroup, in milliseconds. */
export const KILL_TIMEOUT_MS = 10_000;
