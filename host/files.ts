import { renameSync, unlinkSync, writeFileSync } from 'node:fs';

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
