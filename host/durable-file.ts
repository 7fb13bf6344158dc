import { mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asRuntimeError, RuntimeError } from '../api/errors.ts';

/** What an unfinished `writeDurably` may leave beside its file. */
export const unfinishedSuffix = '.tmp';

/**
 * Replaces `path` whole or not at all; resolves when it is on the disk. The work is done by the thread pool: a stalled
 * disk holds up one of its threads, never the event loop. Throws `exhausted` when the disk is full.
 */
export async function writeDurably(path: string, content: string): Promise<void> {
  const beside = path + unfinishedSuffix;
  try {
    const file = await open(beside, 'w', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw failure(`cannot write ${path}`, error);
  }
}

/** Removes `path`; resolves when that is on the disk. A missing one is fine. */
export async function removeDurably(path: string): Promise<void> {
  try {
    await unlink(path).catch(ignoreMissing);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw failure(`cannot remove ${path}`, error);
  }
}

/** Makes the folder and those above it, durably for the last one. */
export async function makeDurably(directory: string): Promise<void> {
  if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) await syncDirectory(dirname(directory));
}

/** Makes durable what was made, renamed and removed in the folder. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function failure(doing: string, error: unknown): RuntimeError {
  const { code = '' } = error as NodeJS.ErrnoException;
  const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'exhausted' : asRuntimeError(error).kind;
  return new RuntimeError(kind, `${doing}: ${asRuntimeError(error).message}`, error);
}
