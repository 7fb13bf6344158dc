import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openDatabase } from './database.ts';

test('a database that can grow no more takes changes and removals, and its log of changes does not grow by them', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-database-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'some.db');
  const database = openDatabase(path, ['CREATE TABLE record (id INTEGER PRIMARY KEY, bytes BLOB)']);
  const put = database.prepare('INSERT OR REPLACE INTO record VALUES (?, randomblob(?))');
  for (let id = 0; id < 100; id++) put.run(id, 4000);
  const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number };
  database.exec(`PRAGMA max_page_count = ${pages}`);
  const before = statSync(`${path}-wal`).size;
  for (let id = 0; id < 100; id++) put.run(id, 4100);
  database.exec('DELETE FROM record');
  t.is(statSync(`${path}-wal`).size, before);
  database.close();
});
