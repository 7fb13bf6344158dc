import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { containerd } from './containerd.ts';
import { connectCri, type Cri } from './cri.ts';
import { textOf } from './files.ts';
import { makeNetwork, removeNetwork, type Network } from './network.ts';
import { repository } from './paths.ts';
import { ready, start, type Running } from './process.ts';
import { registriesConf } from './registry.ts';
import { tool } from './tools.ts';

/** What a runtime under test gets, all below one temporary directory. */
export type DaemonParts = {
  readonly directory: string;
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly network: Network;
  /** Registries spoken to over plain HTTP, `127.0.0.1:PORT`; the first serves the mapped names. */
  readonly registries: readonly string[];
};
export type Daemon = DaemonParts & {
  readonly endpoint: string;
  /** Where pods' log directories are made, as the kubelet would. */
  readonly podLogs: string;
  /** The cgroup parent of all its pods, as the kubelet would name it for the cgroup driver. */
  readonly cgroupParent: string;
  readonly logPath: string;
  /** What it is started with: the program and its arguments. */
  readonly commandLine: readonly string[];
  readonly cri: Cri;
  readonly pid: () => number;
  readonly isRunning: () => boolean;
  /** Starts it again with the same directories. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
};
export type DaemonOptions = {
  readonly registries?: readonly string[];
  /** Whose daemon: ours, or containerd as the peer to compare with (`BERTH_E2E_PEER=containerd` for all stories). */
  readonly runtime?: 'berth' | 'containerd';
  /** More options for berthd; containerd ignores them. */
  readonly args?: readonly string[];
  /** Environment of berthd besides the test's own; containerd ignores it. */
  readonly env?: Readonly<Record<string, string>>;
  /** berthd gets its socket from a service manager (`e2e/tools/activate`), which starts it again whenever it ends. */
  readonly activated?: boolean;
  /** Pods get an IPv6 address too. */
  readonly dualStack?: boolean;
  /** containerd writes each layer to the disk before it goes on, as berthd writes an image (`image_pull_with_sync_fs`). */
  readonly synced?: boolean;
  /** Called before the first start, e.g. to mount a file system on `root`. */
  readonly prepare?: (paths: { directory: string; root: string; state: string }) => void;
};

/** Starts a daemon and waits until it says that runtime and network are ready. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-'));
  chmodSync(directory, 0o711);
  const paths = { directory, root: join(directory, 'root'), state: join(directory, 'run') };
  const podLogs = join(directory, 'logs');
  for (const path of [paths.root, paths.state, podLogs]) mkdirSync(path);
  options.prepare?.(paths);
  // What lies in the state directory before the daemon mounts it is out of sight afterwards.
  const socket = join(options.activated === true ? directory : paths.state, 'berth.sock');
  const parts: DaemonParts = {
    ...paths,
    socket,
    network: makeNetwork(directory, options),
    registries: options.registries ?? [],
  };
  const runtime = options.runtime ?? process.env['BERTH_E2E_PEER'] ?? 'berth';
  const launched = runtime === 'containerd' ? containerd(parts, options) : berthd(parts, options);
  const logPath = join(directory, 'daemon.log');
  const cri = connectCri(socket);
  let running: Running | undefined;
  const daemon: Daemon = {
    ...parts,
    endpoint: `unix://${socket}`,
    podLogs,
    cgroupParent: cgroupParent(basename(directory)),
    logPath,
    commandLine: [launched.command, ...launched.args],
    cri,
    pid: () => running?.pid ?? -1,
    isRunning: () => running !== undefined && running.ended() === undefined,
    start: async () => {
      running = start(launched.command, launched.args, logPath, launched.env);
      await ready(running, () => isUp(cri));
    },
    stop: async () => await running?.stop(),
    kill: async () => await running?.kill(),
  };
  await daemon.start().catch((error: unknown) => {
    discard(daemon);
    throw error;
  });
  return daemon;
}

function berthd(
  parts: DaemonParts,
  { args: more = [], env = {}, activated = false }: DaemonOptions,
): { command: string; args: string[]; env: Record<string, string> } {
  const registries = join(parts.directory, 'registries.conf');
  writeFileSync(registries, registriesConf(parts.registries));
  const args = [
    '--root',
    parts.root,
    '--state',
    parts.state,
    '--listen',
    parts.socket,
    '--cni-config-dir',
    parts.network.configDirectory,
    '--registries-conf',
    registries,
    '--log-level',
    'debug',
    ...chosen(),
    ...more,
  ];
  const command = join(repository, 'bin/berthd');
  return activated ? { command: tool('activate'), args: [parts.socket, command, ...args], env } : { command, args, env };
}

/** What the environment asks all stories to be run with: a cgroup driver, an OCI runtime as `NAME=PATH`. */
function chosen(): string[] {
  const { BERTH_E2E_CGROUP_DRIVER: driver, BERTH_E2E_RUNTIME: runtime = '' } = process.env;
  const [name = ''] = runtime.split('=');
  return [
    ...(driver === undefined ? [] : ['--cgroup-driver', driver]),
    ...(runtime === '' ? [] : ['--runtime', runtime, '--default-runtime', name]),
  ];
}

/** A path, or with the systemd driver a slice below `berth.slice`. */
function cgroupParent(name: string): string {
  return process.env['BERTH_E2E_CGROUP_DRIVER'] === 'systemd' ? `/berth.slice/${name}.slice` : `/${name}`;
}

async function isUp(cri: Cri): Promise<boolean> {
  try {
    const { status } = await cri.call('Status', {}, 2000);
    const required = status.conditions.filter(({ type }) => type === 'RuntimeReady' || type === 'NetworkReady');
    return required.length === 2 && required.every((condition) => condition.status);
  } catch {
    return false;
  }
}

/** Takes away a stopped daemon's mounts, network, cgroups and files, whatever state they are in. */
export function discard(daemon: Daemon): void {
  daemon.cri.close();
  removeNetwork(daemon.network);
  for (const id of daemon.cri.ids) spawnSync('ip', ['netns', 'delete', id], { stdio: 'ignore' });
  const mounted = textOf('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const path of mounted.filter((name) => name.startsWith(daemon.directory)).reverse())
    spawnSync('umount', ['-l', path]);
  for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup')]) {
    const parent = join('/sys/fs/cgroup', hierarchy, daemon.cgroupParent);
    spawnSync('find', [parent, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
  }
  rmSync(daemon.directory, { recursive: true, force: true });
}
