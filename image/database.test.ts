import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { openDatabase } from '../host/database.ts';
import { createWriter, type Statement } from './database.ts';
import { migrations } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-database-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const insert = (diffId: string): Statement => ({
  sql: 'INSERT INTO layers (diff_id, used_bytes, inodes) VALUES (?, ?, ?)',
  values: [diffId, 2n ** 60n, 1n],
});
const rowsOf = (path: string): string[] => {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database
    .prepare('SELECT diff_id FROM layers ORDER BY diff_id')
    .all()
    .map((row) => String(row['diff_id']));
  database.close();
  return rows;
};

test('statements are committed all or none, and a failure does not stop what comes after', async (t) => {
  const path = join(folder, 'all-or-none.db');
  const writer = createWriter(path);
  await writer.commit([insert('a'), insert('b')]);
  await t.throwsAsync(writer.commit([insert('c'), insert('a')]), { message: /UNIQUE/ });
  const [d, e] = [writer.commit([insert('d')]), writer.commit([insert('e')])];
  await writer.close();
  await Promise.all([d, e]);
  t.deepEqual(rowsOf(path), ['a', 'b', 'd', 'e']);
});

test('a writer that has rested for seconds starts its thread again', async (t) => {
  const path = join(folder, 'rested.db');
  const writer = createWriter(path);
  writer.prepare();
  await writer.commit([insert('a')]);
  await sleep(2_500);
  await writer.commit([insert('b')]);
  t.deepEqual(rowsOf(path), ['a', 'b']);
  await writer.close();
});

test('a commit fails with the reason when the file cannot be opened', async (t) => {
  const writer = createWriter(join(folder, 'missing', 'images.db'));
  await t.throwsAsync(writer.commit([insert('a')]), { message: /missing\/images\.db: .*unable to open/ });
  await writer.close();
});

test('a writer leaves a database of another schema alone', async (t) => {
  const path = join(folder, 'newer.db');
  openDatabase(path, [...migrations, 'CREATE TABLE later (x)'], 'FULL').close();
  const writer = createWriter(path);
  await t.throwsAsync(writer.commit([insert('a')]), { message: /schema version/ });
  await writer.close();
});
