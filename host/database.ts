import { DatabaseSync } from 'node:sqlite';
import { asRuntimeError } from '../api/errors.ts';
import { makePrivate } from './files.ts';
import { refuseNewer } from './schema-version.ts';

/**
 * Opens a SQLite file on tmpfs and brings its schema to the newest version: `migrations[n]` leads from version n to
 * n + 1. Commits are not synced; the file, and those that SQLite makes beside it, are its owner's alone. Throws
 * `newer-format` for a file written by a newer release; it is left as it is.
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
  keepReserve(database);
  return database;
}

/** Pages after which what was written to the log of changes is taken over into the file, and the log is begun anew. */
const CHECKPOINT_PAGES = 64;

/** What the file and its log of changes hold beyond what is in them. */
const RESERVE_BYTES = 1 << 20;

/**
 * Makes file and log larger than they need to be: then what is changed and removed while the tmpfs is full can still be
 * committed. One that is full already has no more to give, and is gone on with.
 */
function keepReserve(database: DatabaseSync): void {
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  try {
    database.exec(`BEGIN; CREATE TABLE reserve (bytes BLOB); INSERT INTO reserve VALUES (zeroblob(${RESERVE_BYTES})); COMMIT`);
    database.exec('DROP TABLE reserve');
  } catch (error) {
    if (asRuntimeError(error).kind !== 'exhausted') throw error;
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}
