import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { RuntimeError } from '../api/errors.ts';
import type { Problem } from '../api/problem.ts';
import type { Log } from '../api/observe.ts';
import { damaged, openDatabase } from '../host/database.ts';
import { type Container, isWholeId, type Sandbox } from './record.ts';
import { problemsInTurns, type Row, storedIn } from './stored.ts';

/** Steps of the schema; step n leads from version n to n + 1. */
export const migrations: readonly string[] = [
  `CREATE TABLE sandbox (id TEXT PRIMARY KEY, record TEXT NOT NULL, config BLOB NOT NULL) STRICT;
   CREATE TABLE container (id TEXT PRIMARY KEY, record TEXT NOT NULL, config BLOB NOT NULL) STRICT`,
  `CREATE TABLE boot (id TEXT NOT NULL) STRICT`,
];

/** One kind of record: an immutable view in memory, every change committed before it is seen. */
export type Shelf<T> = {
  all(): IterableIterator<T>;
  get(id: string): T | undefined;
  /** By full id or unambiguous prefix. Throws `invalid` when several begin so. */
  find(idOrPrefix: string): T | undefined;
  put(record: T): T;
  remove(id: string): void;
};

/** Pods and containers of this boot, on tmpfs: a commit is a memory copy and meets no disk. */
export type Store = {
  sandboxes: Shelf<Sandbox>;
  containers: Shelf<Container>;
  containersOf(sandboxId: string): Container[];
  /** What is wrong with the file; long reading lets other work come between. */
  problems(): Promise<Problem[]>;
  /** Mends a problem of one row: as it is in memory, or gone. */
  mend(problem: Problem): void;
  close(): void;
};

/**
 * Opens `state.db` in the state directory; what another boot than `bootId` wrote counts for nothing. Throws
 * `newer-format` when a newer release wrote it.
 */
export function openStore(stateDir: string, bootId: string, log: Log): Store {
  const path = `${stateDir}/state.db`;
  const database = openDatabase(path, migrations);
  forgetOtherBoot(database, bootId, log);
  const statements = (table: string) => ({
    put: database.prepare(
      `INSERT INTO ${table} (id, record, config) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET record = excluded.record, config = excluded.config`,
    ),
    remove: database.prepare(`DELETE FROM ${table} WHERE id = ?`),
  });
  const load = <T extends Row>(table: 'sandbox' | 'container'): T[] => {
    const { records, unreadable, damage } = storedIn<T>(database, table);
    if (damage !== '') throw damaged(path, damage);
    for (const { id, error } of unreadable) log.error('a record cannot be read and does not count: see berth check', { kind: table, id, error });
    return records;
  };
  const sandboxes = shelf<Sandbox>(load('sandbox'), statements('sandbox'), 'sandbox');
  const bySandbox = new Map<string, Map<string, Container>>();
  const containers = indexed(shelf<Container>(load('container'), statements('container'), 'container'), bySandbox);
  return {
    sandboxes,
    containers,
    problems: () => problemsInTurns(database, path),
    mend({ id }) {
      for (const each of [sandboxes, containers] as Shelf<Sandbox | Container>[]) {
        const known = each.get(id);
        if (known === undefined) each.remove(id);
        else each.put(known);
      }
    },
    containersOf: (sandboxId) => [...(bySandbox.get(sandboxId)?.values() ?? [])],
    close: () => database.close(),
  };
}

function forgetOtherBoot(database: DatabaseSync, bootId: string, log: Log): void {
  const written = database.prepare('SELECT id FROM boot').get() as { id: string } | undefined;
  if (written?.id === bootId) return;
  if (written) {
    log.info('the machine has been started anew: pods of before count no more', { boot: bootId, before: written.id });
    database.exec('BEGIN; DELETE FROM sandbox; DELETE FROM container; DELETE FROM boot; COMMIT');
  }
  database.prepare('INSERT INTO boot (id) VALUES (?)').run(bootId);
}

type Statements = {
  put: { run(...values: SQLInputValue[]): unknown };
  remove: { run(...values: SQLInputValue[]): unknown };
};

function shelf<T extends Row>(records: readonly T[], sql: Statements, kind: string): Shelf<T> {
  const view = new Map(records.map((record) => [record.id, record]));
  return {
    all: () => view.values(),
    get: (id) => view.get(id),
    find: (text) => view.get(text) ?? (isWholeId(text) ? undefined : byPrefix(view, text, kind)),
    put(record) {
      const { config, ...rest } = record;
      sql.put.run(record.id, JSON.stringify(rest), config);
      view.set(record.id, record);
      return record;
    },
    remove(id) {
      sql.remove.run(id);
      view.delete(id);
    },
  };
}

/** The same shelf, which keeps `bySandbox` as it is itself. */
function indexed(shelf: Shelf<Container>, bySandbox: Map<string, Map<string, Container>>): Shelf<Container> {
  const add = (container: Container): void => {
    const siblings = bySandbox.get(container.sandboxId) ?? new Map<string, Container>();
    bySandbox.set(container.sandboxId, siblings.set(container.id, container));
  };
  for (const container of shelf.all()) add(container);
  return {
    ...shelf,
    put(record) {
      const put = shelf.put(record);
      add(put);
      return put;
    },
    remove(id) {
      const container = shelf.get(id);
      shelf.remove(id);
      const siblings = bySandbox.get(container?.sandboxId ?? '');
      siblings?.delete(id);
      if (siblings?.size === 0) bySandbox.delete(container?.sandboxId ?? '');
    },
  };
}

function byPrefix<T>(view: Map<string, T>, text: string, kind: string): T | undefined {
  if (text === '') return undefined;
  const ids = [...view.keys()].filter((id) => id.startsWith(text));
  if (ids.length > 1) throw new RuntimeError('invalid', `${kind} id ${text} is ambiguous: give more of its digits`);
  return view.get(ids[0] ?? '');
}
