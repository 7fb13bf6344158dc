import { DatabaseSync } from 'node:sqlite';
import { makePrivate } from './files.ts';
import { refuseNewer } from './schema-version.ts';

/**
 * Opens a SQLite file on tmpfs and brings its schema to the newest version: `migrations[n]` leads from version n to
 * n + 1. Commits are not synced; the file, and those that SQLite makes beside it, are its owner's alone. Throws `unsupported` for a file written by a newer release; it is left as it is.
 */
export function openDatabase(path: string, migrations: readonly string[]): DatabaseSync {
  makePrivate(path);
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA busy_timeout = 2000');
  const row = database.prepare('PRAGMA user_version').get() as { user_version: number };
  try {
    refuseNewer({ path, version: row.user_version, known: migrations.length });
  } catch (error) {
    database.close();
    throw error;
  }
  for (let version = row.user_version; version < migrations.length; version++) {
    database.exec(`BEGIN; ${migrations[version]}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
  return database;
}
