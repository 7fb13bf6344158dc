/** Directories of one cgroup by controller (`memory`, `pids`, …) on version 1; the one key `unified` on version 2. */
export type CgroupDirs = Record<string, string>;

/** A range of ids: `size` of them, from `containerId` inside and from `hostId` on the host (user_namespaces(7)). */
export type IdMapping = { containerId: number; hostId: number; size: number };
export type IdMappings = { uids: IdMapping[]; gids: IdMapping[] };

/** SELinux labels (USER:ROLE:TYPE:LEVEL): of processes, empty for none of their own, and of what is mounted for them. */
export type SelinuxLabels = { process: string; mount: string };

/** What a shim is told at its start; the engine makes the shm mount and the cgroup, the shim does the rest. */
export type ShimPod = {
  /** Sandbox id, 64 hex digits. */
  id: string;
  /** Socket that the shim listens on, at most 107 bytes. */
  socket: string;
  /** The pod's directory in the state directory; the shim writes `exits/<container>` below it. */
  directory: string;
  /** `pod`: a namespace of its own, `host`: the host's. */
  network: 'pod' | 'host';
  /** Where the network namespace is pinned (bind mount of nsfs); empty with `network: 'host'`. */
  netnsPath: string;
  ipc: 'pod' | 'host';
  uts: 'pod' | 'host';
  /** `pod`: one pid namespace for the pod, its PID 1 is `berth-native pause`; `container`: the runtime makes them. */
  pid: 'pod' | 'container' | 'host';
  /** Set inside the pod's own uts namespace; empty leaves the name as it is. */
  hostname: string;
  sysctls: Record<string, string>;
  /** Ids of the pod's own user namespace, to which its other namespaces then belong; null: the host's. */
  user: IdMappings | null;
  /** tmpfs for the pod's /dev/shm; null with host ipc. */
  shm: { path: string; sizeBytes: number } | null;
  /** Of the pod's PID 1 and its mounts, shm too; null for none. */
  selinux: SelinuxLabels | null;
  /** Leaf cgroup of the shim itself; made with all parents, cpuset filled. */
  cgroup: CgroupDirs;
  /** Wanted oom_score_adj of the shim, clamped to what the daemon may set. */
  oomScoreAdj: number;
};

/** A program run to its end. stdout and stderr are UTF-8, each cut at 1 MiB. */
export type RunAsk = {
  /** Lanes are capped one by one, so that a stuck plugin holds up only its own kind. */
  lane: 'cni-add' | 'cni-del' | 'cni-ask' | 'runtime';
  path: string;
  args: string[];
  env: Record<string, string>;
  stdin: string;
  timeoutMs: number;
};
export type RunReply = { exitCode: number; signal: number; stdout: string; stderr: string };

/**
 * Shows the ids of layers as the user namespace at this path maps them; `stage` is an unused path that they are laid out
 * on meanwhile. Fails as `unsupported` where the layers' file system or the kernel cannot do it.
 */
export type LayersIdmap = { userNamespace: string; stage: string };

/** Overlay mount of a container's rootfs. `lower` lists layer directories, the topmost first. */
export type MountRootfsAsk = {
  target: string;
  lower: string[];
  upper: string;
  work: string;
  idmap: LayersIdmap | null;
  /** SELinux label of all that is in it; empty for none. */
  label: string;
  /** Regular files to hand back, resolved inside the rootfs (openat2, RESOLVE_IN_ROOT); at most 1 MiB each. */
  read: string[];
};

/** A read-only view of an image's layers (`lower`, the topmost first), and what of it is wanted. */
export type MountImageAsk = {
  target: string;
  lower: string[];
  idmap: LayersIdmap | null;
  /** SELinux label of all that is in it; empty for none. */
  label: string;
  /** A directory or regular file inside, its links resolved inside too; empty for the whole. */
  subPath: string;
};

/** Directories that an image wants to be there, resolved inside the rootfs; `uid` and `gid` own those that are made. */
export type MakeVolumesAsk = { rootfs: string; volumes: string[]; uid: number; gid: number };

/** A cgroup by its path below every hierarchy, with an id to find it in the reply. */
export type GroupAsk = { id: string; path: string };

/** Cgroups and network namespaces to read. */
export type SampleAsk = {
  /** Where the hierarchies are mounted, by controller as in `CgroupDirs`. */
  mounts: CgroupDirs;
  groups: GroupAsk[];
  /** Network counters of the namespace that process `pid` is in (/proc/PID/net/dev). */
  networks: { id: string; pid: number }[];
};
/** Counters of one cgroup; 64-bit integers are decimal strings; a group that is gone is left out of the reply. */
export type CgroupSample = {
  id: string;
  atNs: string;
  /** The same moment by the clock that is never set (CLOCK_MONOTONIC), for rates. */
  monotonicNs: string;
  cpuUsageNs: string;
  memoryUsageBytes: string;
  /** Usage less inactive file pages, never below zero. */
  workingSetBytes: string;
  rssBytes: string;
  pageFaults: string;
  majorPageFaults: string;
  swapUsageBytes: string;
  /** "0" where there is no limit. */
  memoryLimitBytes: string;
  swapLimitBytes: string;
  pids: string;
  oomKills: string;
  /** Null where the kernel does not tell. */
  pressure: { cpu: Pressure; memory: Pressure; io: Pressure } | null;
};
/** Time in which some, or all, tasks of a cgroup were stalled (PSI): shares in percent, total in microseconds. */
export type Pressure = { some: Stall; full: Stall };
export type Stall = { avg10: number; avg60: number; avg300: number; total: string };
export type InterfaceSample = {
  name: string;
  rxBytes: string;
  rxPackets: string;
  rxErrors: string;
  rxDropped: string;
  txBytes: string;
  txPackets: string;
  txErrors: string;
  txDropped: string;
};

/** What cgroups' files say, and what their processes hold; for figures that are asked for rarely. */
export type MeasureAsk = {
  mounts: CgroupDirs;
  /** `pid` is the process whose limits are wanted. */
  groups: (GroupAsk & { pid: number })[];
  /** Files of each group: controller and name. */
  files: [string, string][];
};
export type GroupMeasure = {
  id: string;
  /** Texts of the files in the order asked; empty where there is none. */
  texts: string[];
  processes: number;
  fileDescriptors: number;
  sockets: number;
  /** /proc/PID/limits; empty when the process is gone. */
  limits: string;
};

/** Where a blob is asked for, and as whom. */
export type BlobSource = {
  url: string;
  /** Request headers, Authorization among them; never logged. */
  headers: Record<string, string>;
  /** Addresses of the URL's host (of the proxy, when there is one), tried in order. */
  addresses: string[];
  /** URL of the HTTP proxy to go through, which may hold credentials; empty for none. */
  proxy: string;
  /** PEM certificates to trust besides the system's; empty for none. */
  caPem: string;
  /** PEM certificate chain and private key to show the registry; empty for none. */
  clientPem: string;
  /** Skip certificate verification (registries.conf `insecure`). */
  insecure: boolean;
};

/** One layer to fetch, verify and unpack in one pass. */
export type FetchLayerAsk = BlobSource & {
  /** Digest of the blob as served (sha256:… or sha512:…) and its exact size in bytes. */
  digest: string;
  sizeBytes: number;
  compression: 'gzip' | 'zstd' | 'none';
  /** sha256 of the uncompressed tar. */
  diffId: string;
  /** Empty directory to make and unpack into, on the file system of the layers. */
  target: string;
  /** Give up on a connection that brings less than this many bytes in `stallMs`. */
  minBytesPerStall: number;
  stallMs: number;
  limits: LayerLimits;
  /** Name, inside the target, of the one file that the blob is; empty for a blob that is a layer's tar. */
  file: string;
  /** New file for sums of what the layer's files hold, for `verifyLayer`; empty for none. */
  sums: string;
};

/** What a layer may be at most; a refusal names the daemon's option. `ratio`: unpacked bytes for each byte of the blob. */
export type LayerLimits = { unpackedBytes: number; ratio: number; inodes: number; entries: number };

/** One layer that lies in a file, from byte `offset` on, to verify and unpack in one pass. */
export type UnpackLayerAsk = { path: string; offset: number } & Pick<
  FetchLayerAsk,
  'digest' | 'sizeBytes' | 'compression' | 'diffId' | 'target' | 'limits' | 'sums'
>;

/** What an unpacked layer holds; `implied`: directories that are in it only because something lies in them. */
export type FetchLayerReply = { unpackedBytes: string; usedBytes: string; inodes: string; implied: string[] };

/** A layer to put in its place. Its implied directories become what the layers below it, the topmost first, have there. */
export type LayerMove = { from: string; to: string; implied: string[]; below: string[] };

/** Every call the engine answers, by name. `cancel` may name any call in flight; that call then fails as `cancelled`. */
export type EngineCalls = {
  hello: { ask: { protocol: number }; reply: { protocol: number; version: string; pid: number } };
  cancel: { ask: { of: number }; reply: Record<string, never> };
  /** Makes `dir` (0711: roots of user namespaces pass through) a private mount of its own, of a new tmpfs (`mounted`) unless it lies on one. */
  prepareState: { ask: { dir: string }; reply: { mounted: boolean } };
  /** Unmounts a state directory that holds no other mount; a busy one is left, without error. */
  releaseState: { ask: { dir: string }; reply: { released: boolean } };
  /** Starts the pod's shim detached from berthd and waits until it listens. On error nothing of it is left. */
  spawnShim: {
    ask: { pod: ShimPod };
    /** `userNamespace`: path of the pod's own one, good while the shim lives; empty with the host's. */
    reply: { pid: number; pausePid: number; userNamespace: string };
  };
  /** Tells what stands in the way of an overlay in `dir` whose layers' ids a user namespace maps; empty: nothing. */
  tryIdmap: { ask: { dir: string }; reply: { obstacle: string } };
  /** Unmounts the pod's shm, unpins and removes its netns path, removes its shim cgroup; what is gone already is fine. */
  releasePod: {
    ask: { shm: string; netnsPath: string; cgroup: CgroupDirs; directory: string; socket: string };
    reply: Record<string, never>;
  };
  /** Unpins a network namespace; one that is gone already is fine. */
  unpinNetns: { ask: { path: string }; reply: Record<string, never> };
  run: { ask: RunAsk; reply: RunReply };
  /** Makes upper, work and target and mounts. `files` has the asked files that exist, UTF-8. On error nothing is left mounted. */
  mountRootfs: { ask: MountRootfsAsk; reply: { files: Record<string, string> } };
  /** Makes the target and mounts; `path` is where the sub path lies, free of links. On error nothing is left mounted or made. */
  mountImage: { ask: MountImageAsk; reply: { path: string } };
  /** Where paths of the host lead to, links followed; a missing one is made (a directory, 0755) if `make` says so. */
  findSources: { ask: { sources: { path: string; make: boolean }[] }; reply: { found: { path: string; error: string }[] } };
  /** Texts of regular files of the host, UTF-8, each with at most `maxBytes`; what cannot be read so has its error instead. */
  readTexts: { ask: { paths: string[]; maxBytes: number }; reply: { texts: { text: string; error: string }[] } };
  /** Gives all files of the trees that SELinux label, except where the top has it already or the file system keeps none. */
  relabel: { ask: { trees: string[]; label: string }; reply: Record<string, never> };
  /** Makes what is missing of each (0755); `paths` says where each lies on the host, free of links, in the order asked. */
  makeVolumes: { ask: MakeVolumesAsk; reply: { paths: string[] } };
  /** Unmounts (detached) each mount point, then removes each tree without crossing mounts; missing ones are fine. */
  removeTrees: { ask: { unmount: string[]; remove: string[] }; reply: Record<string, never> };
  /**
   * Kills every process in the cgroup, waits until it is empty (at most timeoutMs), removes it with its children. `end`
   * says how the process `pid` in it ended, if that is asked for and the kernel keeps it (Linux 6.15, once it is reaped).
   */
  removeCgroup: {
    ask: { dirs: CgroupDirs; timeoutMs: number; pid?: number };
    reply: { end: { exitCode: number; signal: number } | null };
  };
  /** Tells the service manager at `socket` the state of its unit (sd_notify(3)), in the name of the process `pid`. */
  notify: { ask: { socket: string; pid: number; state: string }; reply: Record<string, never> };
  sample: {
    ask: SampleAsk;
    reply: { groups: CgroupSample[]; networks: { id: string; interfaces: InterfaceSample[] }[] };
  };
  /** A group that is gone is left out. */
  measure: { ask: MeasureAsk; reply: { groups: GroupMeasure[] } };
  /** Allocated bytes and inodes of each tree (walked in the disk lane) in the order asked; null for one that is not there. */
  diskUsage: { ask: { paths: string[] }; reply: { usage: ({ bytes: string; inodes: string } | null)[] } };
  /** File system figures of the path, as statfs gives them. */
  statfs: {
    ask: { path: string };
    reply: { totalBytes: string; freeBytes: string; totalInodes: string; freeInodes: string; type: string };
  };
  /**
   * While it runs the engine sends `progress` events `{of, bytes}` (compressed bytes so far), at most ten a second. When
   * the source fails for good it sends `sourceLost` and waits for `giveSource`.
   */
  fetchLayer: { ask: FetchLayerAsk; reply: FetchLayerReply };
  /** Call `of` goes on with that source from the next byte on; with null it fails with the error it told. */
  giveSource: { ask: { of: number; source: BlobSource | null }; reply: Record<string, never> };
  /** Has unpacking use at most a quarter of the processors for so long from now on. */
  giveWay: { ask: { ms: number }; reply: Record<string, never> };
  /** As fetchLayer, out of a file. */
  unpackLayer: { ask: UnpackLayerAsk; reply: FetchLayerReply };
  /**
   * Reads every file of a layer and compares it with what `sums` kept; `verified` is false where nothing was kept. `missing`
   * and `damaged` count files, `names` has some of the damaged.
   */
  verifyLayer: {
    ask: { directory: string; sums: string };
    reply: { verified: boolean; files: number; missing: number; damaged: number; names: string[] };
  };
  /** Writes a layer's directory as a tar to the new file `target`; the digest is the layer's diffID. On error nothing is left there. */
  packLayer: { ask: { directory: string; target: string }; reply: { digest: string; sizeBytes: string } };
  /** Settles the layers in their order, syncfs once on the layers' file system, then renames each (an existing target wins, the source is removed), then fsync of the folders. */
  commitLayers: { ask: { moves: LayerMove[] }; reply: Record<string, never> };
};

/** Unasked messages of the engine. */
export type EngineEvents = {
  progress: { of: number; bytes: string };
  /** Call `of` cannot go on with its source after that many compressed bytes. */
  sourceLost: { of: number; bytes: string; kind: string; message: string };
  log: { level: 'error' | 'warn' | 'info' | 'debug'; message: string };
};
