import { DatabaseSync } from 'node:sqlite';
import { RuntimeError } from '../api/errors.ts';

/**
 * Opens a SQLite file and brings its schema to the newest version: `migrations[n]` leads from version n to n + 1.
 * Throws `unsupported` for a file written by a newer release; it is left as it is.
 */
export function openDatabase(path: string, migrations: readonly string[], synchronous: 'OFF' | 'FULL'): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA busy_timeout = 2000`);
  const row = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (row.user_version > migrations.length) {
    database.close();
    throw new RuntimeError(
      'unsupported',
      `${path} has schema version ${row.user_version}, this release knows ${migrations.length}: start the release that wrote it`,
    );
  }
  for (let version = row.user_version; version < migrations.length; version++) {
    database.exec(`BEGIN; ${migrations[version]}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
  return database;
}
