import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from './daemon.ts';
import { below, linkOf, namesIn, textOf } from './files.ts';
import { natRules } from './network.ts';

const ourNames = new Set(['berthd', 'berth-engine', 'berth-shim', 'berth-native']);

/** Everything that exists now because of this daemon and its pods, one line each; compare two to find leaks. */
export function traces(daemon: Daemon): Set<string> {
  const ids = [...daemon.cri.ids];
  return new Set([
    ...mounts(daemon, ids),
    ...namespaces(ids),
    ...links(daemon),
    ...cgroups(daemon, ids),
    ...units(daemon, ids),
    ...processes(daemon, ids),
    ...addresses(daemon),
    ...nat(daemon),
    ...files(daemon, ids),
  ]);
}

/** What is there beyond `baseline`, once it is empty or half a minute has passed. */
export async function leaks(daemon: Daemon, baseline: ReadonlySet<string>): Promise<string[]> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const left = [...traces(daemon)].filter((trace) => !baseline.has(trace));
    if (left.length === 0 || performance.now() > deadline) return left.sort();
    await sleep(200);
  }
}

const names = (text: string, ids: readonly string[]) => ids.some((id) => text.includes(id));

function mounts(daemon: Daemon, ids: readonly string[]): string[] {
  const points = textOf('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points
    .filter((point) => point.startsWith(daemon.directory) || names(point, ids))
    .map((point) => `mount ${point}`);
}

function namespaces(ids: readonly string[]): string[] {
  return namesIn('/run/netns')
    .filter((name) => names(name, ids))
    .map((name) => `netns ${name}`);
}

function links(daemon: Daemon): string[] {
  const listing = spawnSync('ip', ['-o', 'link', 'show', 'master', daemon.network.bridge], { encoding: 'utf8' }).stdout;
  return listing
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `link ${line.split(': ')[1]}`);
}

function cgroups(daemon: Daemon, ids: readonly string[]): string[] {
  return below('/sys/fs/cgroup')
    .filter(({ isDirectory }) => isDirectory)
    .filter(({ path }) => path.includes(`${daemon.cgroupParent}/`) || names(path, ids))
    .map(({ path }) => `cgroup ${path}`);
}

/** Units of the service manager, where there is one: those of pods and containers, and slices below the daemon's. */
function units({ cgroupParent }: Daemon, ids: readonly string[]): string[] {
  if (!existsSync('/run/systemd/system')) return [];
  const listing = spawnSync('systemctl', ['list-units', '--all', '--plain', '--no-legend'], {
    encoding: 'utf8',
  }).stdout;
  const all = listing.split('\n').map((line) => line.split(' ')[0] ?? '');
  const below = `${basename(cgroupParent, '.slice')}-`;
  return all.filter((name) => names(name, ids) || (name.endsWith('.slice') && name.startsWith(below))).map((name) => `unit ${name}`);
}

function processes(daemon: Daemon, ids: readonly string[]): string[] {
  return ownProcesses(daemon, ids).map(({ pid, name }) =>
    ourNames.has(name) ? `process ${name}` : `process ${pid} ${name}`,
  );
}

/** The daemon, its engine and shims, and all that runs in its pods; zombies do not count. */
export function ownProcesses(
  daemon: Daemon,
  ids: readonly string[] = [...daemon.cri.ids],
): { pid: number; name: string }[] {
  const sockets = unixSockets(daemon);
  const ownNamespace = linkOf('/proc/self/ns/mnt');
  return namesIn('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      const name = textOf(`/proc/${pid}/comm`).trim();
      if (name === '' || /^State:\tZ/m.test(textOf(`/proc/${pid}/status`))) return [];
      const found = { pid: Number(pid), name };
      if (ourNames.has(name)) return speaksOf(pid, daemon, sockets) ? [found] : [];
      const inside =
        ![ownNamespace, ''].includes(linkOf(`/proc/${pid}/ns/mnt`)) && rootMount(pid).includes(daemon.directory);
      const cgroup = textOf(`/proc/${pid}/cgroup`);
      return inside || cgroup.includes(`${daemon.cgroupParent}/`) || names(cgroup, ids) ? [found] : [];
    });
}

/** The line of mountinfo for the process' root: a container's overlay names the layers it is made of. */
function rootMount(pid: string): string {
  return (
    textOf(`/proc/${pid}/mountinfo`)
      .split('\n')
      .find((line) => line.split(' ')[4] === '/') ?? ''
  );
}

/** Whether a process has the daemon's directory in its command line, environment, open files, sockets or cgroup. */
function speaksOf(pid: string, daemon: Daemon, sockets: ReadonlySet<string>): boolean {
  const opened = namesIn(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  const texts = ['cmdline', 'environ', 'cgroup'].map((name) => textOf(`/proc/${pid}/${name}`));
  return (
    [...opened, ...texts].some((text) => text.includes(daemon.directory) || text.includes(daemon.cgroupParent)) ||
    opened.some((name) => sockets.has(name))
  );
}

/** As /proc/PID/fd names them. */
function unixSockets(daemon: Daemon): Set<string> {
  const lines = textOf('/proc/net/unix')
    .split('\n')
    .filter((line) => line.includes(daemon.directory));
  return new Set(lines.map((line) => `socket:[${line.trim().split(/\s+/)[6]}]`));
}

function addresses(daemon: Daemon): string[] {
  return namesIn(daemon.network.addressDirectory)
    .filter((name) => /^[0-9a-f]+[.:]/.test(name))
    .map((name) => `address ${name}`);
}

function nat(daemon: Daemon): string[] {
  return ['iptables', 'ip6tables'].flatMap((command) => natRules(command, daemon.network)).map((rule) => `nat ${rule}`);
}

/** Anything with an id of ours in its name, temporary files in the root, files and sockets in the state directory. */
function files(daemon: Daemon, ids: readonly string[]): string[] {
  const temporary = /^\/tmp\/.|\/(temp|partial|new|staging|trash|doomed)\/./;
  const kept = /\.(db|log|lock)(-wal|-shm|-journal)?$/;
  const enter = (path: string) => !names(path, ids) && path.slice(daemon.directory.length).split('/').length < 6;
  const inRoot = below(daemon.root, enter).filter(
    ({ path }) => names(path, ids) || temporary.test(path.slice(daemon.root.length)),
  );
  const inState = below(daemon.state, enter).filter(
    ({ path, isDirectory }) => names(path, ids) || (!isDirectory && !kept.test(path)),
  );
  return [...inRoot, ...inState].map(({ path }) => `file ${path}`);
}
