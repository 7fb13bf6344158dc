import { chmodSync, closeSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

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
