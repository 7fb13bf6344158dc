import type { CgroupDirs } from './engine.ts';

/** Versions of the protocol with shims that one side speaks, both ends included. */
export type Protocols = { oldest: number; newest: number };

/**
 * What this release speaks with shims, which may be older or newer than it. 1: `hello` names one version, which must be
 * 1. 2: `hello` names a range and the newest common version counts; `upgrade` is known.
 */
export const SHIM_PROTOCOLS: Protocols = { oldest: 1, newest: 2 };

/** An OCI runtime as the shim calls it: `path [args] --root root [--systemd-cgroup] --log … VERB`. */
export type OciRuntime = {
  path: string;
  args: string[];
  root: string;
  systemdCgroup: boolean;
  /** Its containers are inside the sandbox process of their pod: their end and their signals are its to tell and to send. */
  sandboxed: boolean;
};

/** How a container's first process, or an exec, ended. `signal` is 0 unless one killed it; then exitCode is 128 + signal. */
export type Exit = {
  exitCode: number;
  signal: number;
  oomKilled: boolean;
  /** Wall clock, nanoseconds since 1970, a decimal string. */
  finishedAtNs: string;
};

export type CreateAsk = {
  container: string;
  /** Directory with config.json; the runtime's own log goes there too. */
  bundle: string;
  runtime: OciRuntime;
  /** CRI log file to append to; empty for none. */
  logPath: string;
  /** Folder of the pod's logs: links lead to it as anywhere on the node, but none below it is followed. */
  logDirectory: string;
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  /** The container's cgroup, to read its OOM count and to kill what is left. */
  cgroup: CgroupDirs;
  timeoutMs: number;
};

export type ExecAsk = {
  container: string;
  /** Unique in the pod while it runs, short (names the sub-cgroup). */
  exec: string;
  /** `process` of the OCI runtime specification (config.md, Process), without `terminal`. */
  process: Record<string, unknown>;
  tty: boolean;
  stdin: boolean;
  /** 0 for none. When it passes, the exec's whole cgroup is killed and the status packet says `timedOut`. */
  timeoutMs: number;
};

/** How an exec or attach ended, the body of the status packet. `message` is only there when it could not start. */
export type ExecStatus = { exitCode: number; signal: number; timedOut: boolean; message?: string; kind?: string };

/** What the shim holds about one container. */
export type HeldContainer = {
  id: string;
  state: 'creating' | 'created' | 'running' | 'stopped';
  pid: number;
  startedAtNs: string;
  exit: Exit | null;
};

/** Every call the shim answers on its socket, by name. */
export type ShimCalls = {
  /**
   * First call of every connection. Events after `sinceSeq` are sent again, then new ones as they come; -1: none at all
   * (stream connections). `protocol` of the ask is the oldest that the caller speaks, all that a shim of protocol 1
   * looks at; of the reply the newest that both speak. Throws `unsupported` when there is none.
   */
  hello: {
    ask: { protocol: number; speaks?: Protocols; sinceSeq: number };
    reply: {
      protocol: number;
      /** Missing from shims of protocol 1. */
      speaks?: Protocols;
      version: string;
      pid: number;
      pausePid: number;
      seq: number;
      containers: HeldContainer[];
    };
  };
  /** Runs the runtime's `create`. On error nothing of the container is left in the shim, the runtime or the cgroup. */
  create: { ask: CreateAsk; reply: { pid: number } };
  start: { ask: { container: string; timeoutMs: number }; reply: { startedAtNs: string } };
  /** Sends `signal`, SIGKILL after `graceMs` (0: at once), and again every second until it is gone; returns at once. A second stop only shortens. */
  stop: { ask: { container: string; signal: number; graceMs: number }; reply: Record<string, never> };
  /** Runs the runtime's `delete --force` and forgets the container; an unknown one is fine. Kills what is left in its cgroup first. */
  delete: { ask: { container: string; timeoutMs: number }; reply: Record<string, never> };
  reopenLog: { ask: { container: string }; reply: Record<string, never> };
  /** Runs the runtime's `update` with `resources` (OCI LinuxResources). */
  update: { ask: { container: string; resources: Record<string, unknown>; timeoutMs: number }; reply: Record<string, never> };
  /** After this reply the connection carries packets (see PACKET) until it closes; closing it kills the exec. */
  exec: { ask: ExecAsk; reply: { pid: number } };
  /** As exec, for the container's own stdio; closing it leaves the container alone. */
  attach: {
    ask: { container: string; stdin: boolean; stdout: boolean; stderr: boolean };
    reply: { tty: boolean };
  };
  /**
   * Connects to a TCP port of the pod on 127.0.0.1, else ::1. After this reply the connection carries the raw bytes of
   * that one, both ways, each way ending by itself. Throws `unavailable` when nobody listens.
   */
  dial: { ask: { port: number }; reply: Record<string, never> };
  /** The shim goes back to the host's network namespace, so that the pod's can end; dialled connections end. */
  leaveNetwork: { ask: Record<string, never>; reply: Record<string, never> };
  /** Ends the shim after its reply; refused as `wrong-state` while it holds containers. */
  quit: { ask: Record<string, never>; reply: Record<string, never> };
  /**
   * The shim becomes the program at `path`, another build of itself, in place: containers, streams and connections go on.
   * Throws `unsupported` when that cannot take over, `wrong-state` when the OCI runtime was being called for all of
   * `timeoutMs`; then it stays as it is. From protocol 2 on.
   */
  upgrade: { ask: { path: string; timeoutMs: number }; reply: { version: string; speaks: Protocols } };
};

/** Unasked messages of the shim; `seq` is in each. */
export type ShimEvents = {
  exit: { container: string; pid: number } & Exit;
  oom: { container: string };
  /** So many records of its log could not be written, at most once a second and before its exit. */
  logLost: { container: string; records: number; reason: string };
};

/** Packets of a stream connection: one byte kind, 4-byte little-endian length, then the bytes. An empty `stdin` packet closes stdin. */
export const PACKET = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 } as const;

/** Body of a `resize` packet, in characters. */
export type Resize = { width: number; height: number };
