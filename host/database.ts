import { DatabaseSync } from 'node:sqlite';
import { asRuntimeError, RuntimeError } from '../api/errors.ts';
import { makePrivate } from './files.ts';
import { refuseNewer } from './schema-version.ts';

/**
 * Opens a SQLite file on tmpfs and brings its schema to the newest version: `migrations[n]` leads from version n to
 * n + 1. Commits are not synced; the file, and those that SQLite makes beside it, are its owner's alone. Throws
 * `newer-format` for a file written by a newer release, which is left as it is, and `corrupt` for one that is damaged.
 */
export function openDatabase(path: string, migrations: readonly string[]): DatabaseSync {
  makePrivate(path);
  const database = new DatabaseSync(path);
  try {
    refuseNewer({ path, version: schemaVersion(database), known: migrations.length });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA busy_timeout = 2000');
    for (let version = schemaVersion(database); version < migrations.length; version++) {
      database.exec(`BEGIN; ${migrations[version]}; PRAGMA user_version = ${version + 1}; COMMIT`);
    }
    keepReserve(database);
    return database;
  } catch (error) {
    database.close();
    throw isDamage(error) ? damaged(path, asRuntimeError(error).message) : error;
  }
}

/** The version of an open file; 0 of a new one. */
export function schemaVersion(database: DatabaseSync): number {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

/** The error of a file that SQLite cannot read, or not to its end. */
export function damaged(path: string, why: string): RuntimeError {
  return new RuntimeError('corrupt', `${path} is damaged (${why}): berth check --offline --repair keeps what can be read of it`);
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
function isDamage(error: unknown): boolean {
  const { errcode = 0 } = error as { errcode?: number };
  return (errcode & 0xff) === 11 || errcode === 26;
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
