import type { DatabaseSync } from 'node:sqlite';
import { asRuntimeError, RuntimeError } from '../api/errors.ts';
import type { Problem } from '../api/problem.ts';

/** A record as the file has it. */
export type Row = { id: string; config: Buffer };

/** The records of a table, the rows that cannot be read, and what kept SQLite from reading on; empty for nothing. */
export type StoredRows<T> = { records: T[]; unreadable: { id: string; error: string }[]; damage: string };

/** Reads a table of `state.db` as far as it can be read. */
export function storedIn<T extends Row>(database: DatabaseSync, table: 'sandbox' | 'container'): StoredRows<T> {
  const found: StoredRows<T> = { records: [], unreadable: [], damage: '' };
  try {
    for (const row of database.prepare(`SELECT id, record, config FROM ${table}`).iterate()) read(row as StoredRow, found);
  } catch (error) {
    found.damage = asRuntimeError(error).message;
  }
  return found;
}

type StoredRow = { id: string; record: string; config: Uint8Array };

function read<T extends Row>({ id, record, config }: StoredRow, { records, unreadable }: StoredRows<T>): void {
  try {
    const parsed = JSON.parse(record) as T;
    if (parsed?.id !== id) throw new RuntimeError('corrupt', `it is of ${parsed?.id}`);
    records.push({ ...parsed, config: Buffer.from(config) });
  } catch (error) {
    unreadable.push({ id, error: asRuntimeError(error).message });
  }
}

/** What is wrong with the file at `path`, which is open. */
export function problemsIn(database: DatabaseSync, path: string): Problem[] {
  const damage = damageIn(database);
  if (damage !== '') {
    return [{ kind: 'state-file', id: 'state.db', path, what: `is damaged: ${damage}`, repair: 'put it aside and keep the records that can be read' }];
  }
  return (['sandbox', 'container'] as const).flatMap((table) =>
    storedIn(database, table).unreadable.map(({ id, error }): Problem => ({
      kind: 'state-record', id, path, what: `the record of a ${table} cannot be read: ${error}`, repair: 'drop it, or write it anew where the daemon knows it',
    })),
  );
}

/** What SQLite finds wrong with the structure of the file; empty for nothing. */
function damageIn(database: DatabaseSync): string {
  try {
    const rows = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
    const [first] = rows.map((row) => row.quick_check);
    return first === 'ok' ? '' : (first ?? 'it cannot be checked').replaceAll('\n', ' ');
  } catch (error) {
    return asRuntimeError(error).message;
  }
}
