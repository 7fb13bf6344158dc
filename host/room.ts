import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { asRuntimeError, RuntimeError } from '../api/errors.ts';

/** What has to be left for what is there already: its exits, its end, its removal. */
export const RESERVE = { bytes: 2 << 20, inodes: 64 };

/** What statfs(2) tells; a file system that counts no blocks, or no inodes, has no end of them. */
export type Room = { blocks: number; bavail: number; bsize: number; files: number; ffree: number };

/** Throws `exhausted` unless `directory`, called `what`, has room for something new. Meant for a tmpfs: a disk may hang. */
export function requireRoom(what: string, directory: string): void {
  const lack = lacking(statfsSync(directory));
  if (lack === undefined) return;
  throw new RuntimeError('exhausted', `${what} ${directory} ${lack}: remove pods, or what else lies there`);
}

/** What there is too little of, as the end of a sentence; undefined when there is enough. */
export function lacking({ blocks, bavail, bsize, files, ffree }: Room): string | undefined {
  if (blocks > 0 && bavail * bsize < RESERVE.bytes) return `is full, ${bavail * bsize} bytes are left and ${RESERVE.bytes} are kept for what runs`;
  if (files > 0 && ffree < RESERVE.inodes) return `has no inode left but ${ffree}, and ${RESERVE.inodes} are kept for what runs`;
  return undefined;
}

/** Inodes that a daemon which starts needs: those of its socket, and of its lock where it was killed. */
const START_INODES = 16;

/** Keeps inodes for the next start in `directory`, as many as there are. */
export function keepInodes(directory: string): void {
  try {
    for (let at = 0; at < START_INODES; at++) mkdirSync(`${directory}/reserve/${at}`, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (asRuntimeError(error).kind !== 'exhausted') throw error;
  }
}

/** Lets go of what an earlier daemon has kept. */
export function useInodes(directory: string): void {
  rmSync(`${directory}/reserve`, { recursive: true, force: true });
}
