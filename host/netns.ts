import { statfsSync } from 'node:fs';

/** Type number of the file system that namespaces are pinned from (statfs(2), NSFS_MAGIC). */
const NSFS_MAGIC = 0x6e73_6673;

/** True when a namespace is pinned at `path`; what a reboot leaves there is a plain file. */
export function isPinned(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}
