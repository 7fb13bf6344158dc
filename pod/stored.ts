import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
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
  if (damage !== '') return [damagedFile(path, damage)];
  return tables.flatMap((table) => storedIn(database, table).unreadable.map((row) => unreadableRow(path, table, row)));
}

/** The same for who has other work to do as well, which comes between. */
export async function problemsInTurns(database: DatabaseSync, path: string): Promise<Problem[]> {
  const damage = damageIn(database);
  if (damage !== '') return [damagedFile(path, damage)];
  const problems: Problem[] = [];
  for (const table of tables) {
    for await (const { unreadable } of pagesOf(database, table)) problems.push(...unreadable.map((row) => unreadableRow(path, table, row)));
  }
  return problems;
}

/** Rows that are read in one turn. */
const PAGE_ROWS = 128;

/** The rows of a table in turns, each by a statement of its own: what is written meanwhile finds none under way. */
async function* pagesOf(database: DatabaseSync, table: string): AsyncGenerator<StoredRows<Row>> {
  const page = database.prepare(`SELECT id, record, config FROM ${table} WHERE id > ? ORDER BY id LIMIT ${PAGE_ROWS}`);
  for (let last = ''; ; ) {
    const rows = page.all(last) as StoredRow[];
    const found: StoredRows<Row> = { records: [], unreadable: [], damage: '' };
    for (const row of rows) read(row, found);
    yield found;
    if (rows.length < PAGE_ROWS) return;
    last = rows.at(-1)?.id ?? '';
    await setImmediate();
  }
}

const tables = ['sandbox', 'container'] as const;

function damagedFile(path: string, damage: string): Problem {
  return { kind: 'state-file', id: 'state.db', path, what: `is damaged: ${damage}`, repair: 'put it aside and keep the records that can be read' };
}

function unreadableRow(path: string, table: string, { id, error }: { id: string; error: string }): Problem {
  return { kind: 'state-record', id, path, what: `the record of a ${table} cannot be read: ${error}`, repair: 'drop it, or write it anew where the daemon knows it' };
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
