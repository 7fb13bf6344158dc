import type { CgroupDirs } from '../api/engine.ts';
import { RuntimeError } from '../api/errors.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** Where this host's cgroup hierarchies are mounted. */
export type Hierarchies = {
  version: 1 | 2;
  /** Mount point by controller; the one key `unified` on version 2. */
  mounts: Record<string, string>;
  /** Every cgroup mount, with those that carry no controller (name=systemd, the empty tree of a hybrid layout). */
  all: string[];
};

/** Reads the cgroup mounts out of /proc/self/mountinfo's text (proc_pid_mountinfo(5)). */
export function hierarchies(mountinfo: string): Hierarchies {
  const mounts: Record<string, string> = {};
  const all: string[] = [];
  let unified = '';
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const path = before.split(' ')[4] ?? '';
    const [type, , options = ''] = after.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    all.push(path);
    if (type === 'cgroup2') unified = path;
    else for (const controller of options.split(',').filter(isController)) mounts[controller] = path;
  }
  if (Object.keys(mounts).length > 0) return { version: 1, mounts, all };
  if (unified === '') throw new RuntimeError('unsupported', 'no cgroup file system is mounted: mount cgroup2 on /sys/fs/cgroup');
  return { version: 2, mounts: { unified }, all };
}

const isController = (option: string): boolean =>
  ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'hugetlb', 'net_cls', 'net_prio', 'perf_event', 'rdma', 'misc'].includes(option);

/**
 * The path of a pod's cgroup below every hierarchy. With the systemd driver `parent` is the last part of the slice's
 * name and its ancestors are spelled out (systemd.slice(5)); with cgroupfs it is a path. Throws `invalid`.
 */
export function parentPath(driver: CgroupDriver, parent: string): string {
  if (driver === 'cgroupfs') {
    if (parent.endsWith('.slice')) {
      throw new RuntimeError('invalid', `cgroup parent ${parent} is a systemd slice, the driver is cgroupfs: make the kubelet's cgroupDriver agree`);
    }
    const parts = parent.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw new RuntimeError('invalid', `cgroup parent ${parent} leaves the hierarchy`);
    return `/${parts.join('/')}`;
  }
  const slice = parent.split('/').at(-1) ?? '';
  if (!slice.endsWith('.slice') || slice.startsWith('-') || slice.includes('--')) {
    throw new RuntimeError('invalid', `cgroup parent ${parent} is no systemd slice (NAME.slice), the driver is systemd`);
  }
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join('-')}.slice`).join('');
}

/** The cgroup `leaf` in the cgroup `parent`, a path below every hierarchy. */
export function childPath(parent: string, leaf: string): string {
  return parent === '/' ? `/${leaf}` : `${parent}/${leaf}`;
}

/** Directories of the cgroup `path` in every hierarchy that carries controllers. */
export function cgroupDirs(host: Hierarchies, path: string): CgroupDirs {
  return Object.fromEntries(Object.entries(host.mounts).map(([controller, mount]) => [controller, `${mount}${path}`]));
}

/** Directories of the cgroup `path` in every hierarchy there is, for who clears away what an OCI runtime left. */
export function everyCgroupDir(host: Hierarchies, path: string): CgroupDirs {
  if (host.version === 2) return cgroupDirs(host, path);
  return Object.fromEntries(host.all.map((mount) => [mount, `${mount}${path}`]));
}

/** Last part of a container's cgroup: CRI-O's names, which cAdvisor and security agents map to containers. */
export function containerLeaf(driver: CgroupDriver, id: string): string {
  return driver === 'systemd' ? `crio-${id}.scope` : `crio-${id}`;
}

/** Last part of the cgroup of a sandbox' shim: CRI-O's name of the pod's own container, by which cAdvisor finds the pod's network. */
export function shimLeaf(driver: CgroupDriver, id: string): string {
  return containerLeaf(driver, id);
}

/** The same where a sandbox process bears that name: CRI-O's name of a monitor. */
export function monitorLeaf(driver: CgroupDriver, id: string): string {
  return driver === 'systemd' ? `crio-conmon-${id}.scope` : `crio-conmon-${id}`;
}

/** The cgroup of a shim, a path below every hierarchy, out of its /proc/PID/cgroup (cgroups(7)); undefined outside of one. */
export function shimPath(membership: string): string | undefined {
  const paths = membership.split('\n').map((line) => line.split(':').slice(2).join(':'));
  return paths.find((path) => /\/crio-(conmon-)?[0-9a-f]+(\.scope)?$/.test(path));
}

/** `linux.cgroupsPath` of the OCI configuration: a path, or `slice:prefix:name` for a runtime with --systemd-cgroup. */
export function cgroupsPath(driver: CgroupDriver, parent: string, id: string): string {
  return driver === 'systemd' ? `${parent.split('/').at(-1)}:crio:${id}` : childPath(parentPath(driver, parent), containerLeaf(driver, id));
}

/** Ancestors of a cgroup path, the path itself first, the root left out. */
export function ancestors(path: string): string[] {
  const parts = path.split('/').filter(Boolean);
  return parts.map((_, at) => `/${parts.slice(0, parts.length - at).join('/')}`);
}
