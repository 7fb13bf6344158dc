import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { RuntimeError } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';
import { openDatabase } from '../host/database.ts';
import type { Container, Sandbox } from './record.ts';

const migrations = [
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
  close(): void;
};

/**
 * Opens `state.db` in the state directory; what another boot than `bootId` wrote counts for nothing. Throws
 * `newer-format` when a newer release wrote it.
 */
export function openStore(stateDir: string, bootId: string, log: Log): Store {
  const database = openDatabase(`${stateDir}/state.db`, migrations);
  forgetOtherBoot(database, bootId, log);
  const statements = (table: string) => ({
    load: database.prepare(`SELECT record, config FROM ${table}`),
    put: database.prepare(
      `INSERT INTO ${table} (id, record, config) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET record = excluded.record, config = excluded.config`,
    ),
    remove: database.prepare(`DELETE FROM ${table} WHERE id = ?`),
  });
  const containers = shelf<Container>(statements('container'), 'container');
  return {
    sandboxes: shelf<Sandbox>(statements('sandbox'), 'sandbox'),
    containers,
    containersOf: (sandboxId) => [...containers.all()].filter((container) => container.sandboxId === sandboxId),
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
  load: { all(): unknown[] };
  put: { run(...values: SQLInputValue[]): unknown };
  remove: { run(...values: SQLInputValue[]): unknown };
};

function shelf<T extends { id: string; config: Buffer }>(sql: Statements, kind: string): Shelf<T> {
  const view = new Map<string, T>();
  for (const row of sql.load.all() as { record: string; config: Uint8Array }[]) {
    const record = { ...(JSON.parse(row.record) as T), config: Buffer.from(row.config) };
    view.set(record.id, record);
  }
  return {
    all: () => view.values(),
    get: (id) => view.get(id),
    find: (text) => view.get(text) ?? byPrefix(view, text, kind),
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

function byPrefix<T>(view: Map<string, T>, text: string, kind: string): T | undefined {
  if (text === '') return undefined;
  const ids = [...view.keys()].filter((id) => id.startsWith(text));
  if (ids.length > 1) throw new RuntimeError('invalid', `${kind} id ${text} is ambiguous: give more of its digits`);
  return view.get(ids[0] ?? '');
}
