import { existsSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Problem } from '../../api/problem.ts';
import { openDatabase, schemaVersion } from '../../host/database.ts';
import { refuseNewer } from '../../host/schema-version.ts';
import type { Container, Sandbox } from '../record.ts';
import { migrations } from '../store.ts';
import { problemsIn, storedIn } from '../stored.ts';

/** What `state.db` of a daemon that does not run holds of this boot. */
export type StateRead = { sandboxes: Sandbox[]; containers: Container[]; problems: Problem[] };

/**
 * Reads `state.db` in the state directory without a change; what another boot than `bootId` wrote counts for nothing, nor
 * does a file that is not there. Throws `newer-format` when a newer release wrote it.
 */
export function readState(stateDir: string, bootId: string): StateRead {
  const path = `${stateDir}/state.db`;
  if (!existsSync(path)) return { sandboxes: [], containers: [], problems: [] };
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const problems = problemsIn(database, path);
    refuseNewer({ path, version: readable(() => schemaVersion(database)) ?? 0, known: migrations.length });
    const boot = readable(() => database.prepare('SELECT id FROM boot').get() as { id: string } | undefined);
    if (boot !== undefined && boot.id !== bootId) return { sandboxes: [], containers: [], problems };
    return { sandboxes: storedIn<Sandbox>(database, 'sandbox').records, containers: storedIn<Container>(database, 'container').records, problems };
  } finally {
    database.close();
  }
}

/** Puts a damaged `state.db` aside (`state.db.broken`); what can be read of it is in a new one. The state directory has to be held. */
export function rescueState(stateDir: string, bootId: string): void {
  const path = `${stateDir}/state.db`;
  const { sandboxes, containers } = readState(stateDir, bootId);
  rmSync(`${path}.new`, { force: true });
  const rescued = openDatabase(`${path}.new`, migrations);
  rescued.prepare('INSERT INTO boot (id) VALUES (?)').run(bootId);
  for (const [table, records] of [['sandbox', sandboxes], ['container', containers]] as const) {
    const put = rescued.prepare(`INSERT INTO ${table} (id, record, config) VALUES (?, ?, ?)`);
    for (const { config, ...rest } of records) put.run(rest.id, JSON.stringify(rest), config);
  }
  rescued.close();
  renameSync(path, `${path}.broken`);
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  renameSync(`${path}.new`, path);
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
