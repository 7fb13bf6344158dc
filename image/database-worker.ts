import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { openDatabase } from '../host/database.ts';
import type { CommitAsk, CommitReply, Statement } from './database.ts';
import { migrations } from './schema.ts';

const sqliteFull = 13;
const database = openDatabase(workerData as string, migrations, 'FULL');
database.exec('PRAGMA foreign_keys = ON');

parentPort?.on('message', (ask: CommitAsk) => {
  if (ask === 'end') {
    database.close();
    parentPort?.close();
    return;
  }
  parentPort?.postMessage(answer(ask.id, ask.statements));
});

function answer(id: number, statements: Statement[]): CommitReply {
  try {
    commit(database, statements);
    return { id };
  } catch (error) {
    const { errcode, message } = error as { errcode?: number; message: string };
    return { id, error: { kind: errcode === sqliteFull ? 'exhausted' : 'internal', message } };
  }
}

function commit(into: DatabaseSync, statements: Statement[]): void {
  into.exec('BEGIN IMMEDIATE');
  try {
    for (const { sql, values } of statements) into.prepare(sql).run(...values);
    into.exec('COMMIT');
  } catch (error) {
    if (into.isTransaction) into.exec('ROLLBACK');
    throw error;
  }
}
