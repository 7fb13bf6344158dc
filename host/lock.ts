import { DatabaseSync } from 'node:sqlite';
import { RuntimeError } from '../api/errors.ts';
import { makePrivate } from './files.ts';

/**
 * Holds `directory` for this process until the returned function is called or the process ends, however that comes.
 * Throws `in-use` when another process holds it.
 */
export function holdDirectory(directory: string): () => void {
  return holdFile(
    `${directory}/lock.db`,
    `${directory} belongs to another berthd that runs: stop it, or give this one directories of its own`,
  );
}

/**
 * Holds the lock file `path` in the same way; it is made when missing and never removed. `refusal` is the message of
 * `in-use`. Node has no flock(2); SQLite's exclusive lock is one.
 */
export function holdFile(path: string, refusal: string): () => void {
  makePrivate(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new RuntimeError('in-use', refusal, error);
  }
  return () => database.close();
}
