import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CgroupDriver, childPath, containerLeaf, type Hierarchies, monitorLeaf, shimLeaf } from '../../host/cgroup.ts';
import { orIfMissing } from '../../host/files.ts';
import { inParallel } from '../../host/parallel.ts';
import { isPinned } from '../../host/netns.ts';
import { containerPaths, podPaths, type Roots } from '../paths.ts';
import type { Container, Sandbox } from '../record.ts';

/** Whose resources are looked at, and how what is not in a folder is learnt. */
export type StateAsk = {
  roots: Roots;
  cgroup: { driver: CgroupDriver; host: Hierarchies };
  sandboxes: readonly Sandbox[];
  containers: readonly Container[];
  /** Ids of the pods whose network attachments are noted beyond the boot. */
  noted: () => Promise<readonly string[]>;
  /** Whether the sandbox' shim can be asked. */
  answers: (sandbox: Sandbox) => Promise<boolean>;
  /** False for containers inside a sandbox process, whose cgroups are that one's affair. */
  hasOwnCgroup: (container: Container) => boolean;
};

/** What is there of one pod. */
export type PodSeen = { shim: boolean; netns: boolean; cgroup: boolean; noted: boolean };
/** What is there of one container; `process`: whether its first process is. */
export type ContainerSeen = { bundle: boolean; rootfs: boolean; writable: boolean; cgroup: boolean; process: boolean };

/** What is there of pods and containers, with and without record. */
export type StateSeen = {
  pods: ReadonlyMap<string, PodSeen>;
  /** Of those that have not exited: the others may lack everything. */
  containers: ReadonlyMap<string, ContainerSeen>;
  /** Names of the shims' sockets, of pods' folders, of containers' bundles and writable layers. */
  sockets: readonly string[];
  podFolders: readonly string[];
  bundles: readonly string[];
  writables: readonly string[];
  noted: readonly string[];
  /** Mount points below the state directory. */
  mounts: readonly string[];
  /** Cgroups without record, with names like ours, where pods of ours are. */
  cgroups: readonly CgroupSeen[];
};
export type CgroupSeen = { path: string; id: string; hasProcesses: boolean };

const looksAtATime = 8;

/** Looks at everything and changes nothing. */
export async function lookAtState(ask: StateAsk): Promise<StateSeen> {
  const { roots, sandboxes, containers } = ask;
  const mounts = mountPoints(await readFile('/proc/self/mountinfo', 'utf8'), `${roots.state}/`);
  const [sockets, podFolders, bundles, writables] = await Promise.all(
    [`${roots.state}/s`, `${roots.state}/pods`, `${roots.state}/containers`, `${roots.root}/containers`].map(namesIn),
  );
  const noted = new Set(await ask.noted());
  const mounted = new Set(mounts);
  return {
    sockets: sockets ?? [], podFolders: podFolders ?? [], bundles: bundles ?? [], writables: writables ?? [], noted: [...noted], mounts,
    cgroups: await cgroupsLikeOurs(ask),
    pods: new Map(await inParallel(looksAtATime, sandboxes, async (sandbox) => [sandbox.id, await podSeen(sandbox, noted, ask)] as const)),
    containers: new Map(containers.filter(hasNotExited).map((container) => [container.id, containerSeen(container, mounted, ask)])),
  };
}

async function podSeen(sandbox: Sandbox, noted: ReadonlySet<string>, { roots, cgroup, answers }: StateAsk): Promise<PodSeen> {
  const leaves = [shimLeaf, monitorLeaf].map((leaf) => childPath(sandbox.cgroupParent, leaf(cgroup.driver, sandbox.id)));
  return {
    shim: await answers(sandbox),
    netns: isPinned(podPaths(roots, sandbox.id).netns),
    cgroup: leaves.some((path) => isThere(cgroup.host, path)),
    noted: noted.has(sandbox.id),
  };
}

function containerSeen(container: Container, mounted: ReadonlySet<string>, { roots, cgroup, hasOwnCgroup }: StateAsk): ContainerSeen {
  const { id, pid, cgroupParent } = container;
  const { bundle, rootfs, writable } = containerPaths(roots, id);
  return {
    bundle: existsSync(`${bundle}/config.json`),
    rootfs: mounted.has(rootfs),
    writable: existsSync(writable),
    cgroup: !hasOwnCgroup(container) || isThere(cgroup.host, childPath(cgroupParent, containerLeaf(cgroup.driver, id))),
    process: pid > 0 && existsSync(`/proc/${pid}/exe`),
  };
}

function hasNotExited({ state }: Container): boolean {
  return state === 'created' || state === 'running';
}

function isThere(host: Hierarchies, path: string): boolean {
  return Object.values(host.mounts).some((mount) => existsSync(`${mount}${path}`));
}

/** In the cgroups where known pods are: elsewhere they may be another runtime's. */
async function cgroupsLikeOurs({ cgroup, sandboxes, containers }: StateAsk): Promise<CgroupSeen[]> {
  const known = new Set([...sandboxes, ...containers].map(({ id }) => id));
  const parents = new Set(sandboxes.map(({ cgroupParent }) => cgroupParent));
  const found = new Map<string, CgroupSeen>();
  for (const mount of cgroup.host.all) {
    for (const parent of parents) {
      for (const name of await namesIn(`${mount}${parent}`)) {
        const [, id] = /^crio-(?:conmon-)?([0-9a-f]{64})(?:\.scope)?$/.exec(name) ?? [];
        if (id === undefined || known.has(id)) continue;
        const path = childPath(parent, name);
        const hasProcesses = (await processesIn(`${mount}${path}`)) > 0 || found.get(path)?.hasProcesses === true;
        found.set(path, { path, id, hasProcesses });
      }
    }
  }
  return [...found.values()];
}

/** Of the cgroup and all below it. */
async function processesIn(directory: string): Promise<number> {
  const entries = await orIfMissing(readdir(directory, { withFileTypes: true }), []);
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map(({ name }) => processesIn(join(directory, name))));
  const own = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
  return below.reduce((sum, count) => sum + count, own.split('\n').filter((line) => line !== '').length);
}

/** Those that begin so (proc_pid_mountinfo(5)). */
function mountPoints(mountinfo: string, prefix: string): string[] {
  const points = mountinfo.split('\n').map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(prefix));
}

async function namesIn(directory: string): Promise<string[]> {
  return orIfMissing(readdir(directory), []);
}
