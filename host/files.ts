import { chmodSync, closeSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces `path` whole or not at all: written beside it, then renamed. For files on tmpfs: there is no fsync. */
export function replaceFile(path: string, content: string, mode = 0o600): void {
  const beside = `${path}.${process.pid}.tmp`;
  writeFileSync(beside, content, { mode });
  try {
    renameSync(beside, path);
  } catch (error) {
    unlinkSync(beside);
    throw error;
  }
}

/**
 * Makes a directory with all that is missing above it; one that is there is fine. For paths that others choose: Node's
 * own recursive mkdir never returns where a file system refuses with ENOENT, as /proc does.
 */
export async function makeDirectories(path: string, mode: number): Promise<void> {
  const make = () => mkdir(path, { mode });
  await make()
    .catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
      await makeDirectories(dirname(path), mode);
      await make();
    })
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
}

/** Makes the file at `path` its owner's alone (0600), making an empty one where there is none. */
export function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

/** The text of a file, empty where there is none. */
export function readIfThere(path: string): Promise<string> {
  return orIfMissing(readFile(path, 'utf8'), '');
}

/** What was looked for, or `otherwise` where nothing is at that path. */
export async function orIfMissing<T, U>(found: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await found;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise;
    throw error;
  }
}
