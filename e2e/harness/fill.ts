import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Takes what it took away again. */
export type Filling = { readonly free: () => void };

const full = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOSPC';

/** Writes a file into `directory` until its file system has not a byte left. */
export function fillBytes(directory: string): Filling {
  const path = join(directory, 'filler');
  const file = openSync(path, 'w');
  for (let bytes = 1 << 20; bytes >= 1; bytes = Math.floor(bytes / 16)) {
    const block = Buffer.alloc(bytes, 1);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if (!full(error)) throw error;
    }
  }
  closeSync(file);
  return { free: () => rmSync(path) };
}

/** Makes files in `directory` until its file system has not an inode left. */
export function fillInodes(directory: string): Filling {
  const path = join(directory, 'fillers');
  mkdirSync(path);
  for (let at = 0; statfsSync(directory).ffree > 0; at++) {
    try {
      closeSync(openSync(join(path, `${at}`), 'w'));
    } catch (error) {
      if (!full(error)) throw error;
      break;
    }
  }
  return { free: () => rmSync(path, { recursive: true }) };
}
