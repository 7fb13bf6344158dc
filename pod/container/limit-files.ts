import { readFile, writeFile } from 'node:fs/promises';
import type { CgroupDirs } from '../../api/engine.ts';

/** The files of a container's cgroup that an update may change, in the order in which they can be put back from high to low. */
const VERSION_1: [string, string][] = [
  ['cpu', 'cpu.shares'], ['cpu', 'cpu.cfs_period_us'], ['cpu', 'cpu.cfs_quota_us'], ['cpuset', 'cpuset.cpus'],
  ['cpuset', 'cpuset.mems'], ['memory', 'memory.limit_in_bytes'], ['memory', 'memory.memsw.limit_in_bytes'],
];
/** On version 2 also those of the part that holds processes and limits where crun divides the cgroup. */
const PARTS = ['', 'container/'];
const VERSION_2 = ['cpu.weight', 'cpu.max', 'cpuset.cpus', 'cpuset.mems', 'memory.max', 'memory.swap.max'];

/** Paths of files with what they said at one time. */
export type Snapshot = ReadonlyMap<string, string>;

/** Reads the limits in the cgroup at `dirs`, with further files of version 2 named in `unified`; absent ones are left out. */
export async function readLimits(dirs: CgroupDirs, hugepageSizes: string[], unified: string[]): Promise<Snapshot> {
  const root = dirs['unified'];
  const paths = root === undefined
    ? VERSION_1.flatMap(([controller, name]) => (dirs[controller] === undefined ? [] : [`${dirs[controller]}/${name}`]))
    : PARTS.flatMap((part) => [...VERSION_2, ...unified].map((name) => `${root}/${part}${name}`));
  const hasHugepages = root !== undefined || dirs['hugetlb'] !== undefined;
  const all = new Set([...paths, ...(hasHugepages ? hugepageSizes.map((size) => hugepageFile(dirs, size)) : [])]);
  const texts = await Promise.all([...all].map(async (path) => [path, await text(path)] as const));
  return new Map(texts.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The file with the limit on huge pages of that size, e.g. `2MB`. */
export function hugepageFile(dirs: CgroupDirs, size: string): string {
  return dirs['unified'] === undefined ? `${dirs['hugetlb']}/hugetlb.${size}.limit_in_bytes` : `${dirs['unified']}/hugetlb.${size}.max`;
}

/** How often limits that depend on each other (memory, and memory with swap) are tried in turn. */
const ROUNDS = 3;

/** Puts back what differs from `snapshot`; returns the paths that could not be. */
export async function writeBack(snapshot: Snapshot): Promise<string[]> {
  let left = [...snapshot];
  for (let round = 0; round < ROUNDS && left.length > 0; round++) {
    const failed: typeof left = [];
    for (const [path, before] of left) {
      if ((await text(path)) === before) continue;
      await writeFile(path, before).catch(() => failed.push([path, before]));
    }
    left = failed;
  }
  return left.map(([path]) => path);
}

function text(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
