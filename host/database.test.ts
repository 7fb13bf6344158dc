import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { isKind } from '../api/errors.ts';
import { openDatabase, schemaVersion } from './database.ts';

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

test('a file of an older schema goes through each step since, once, with what is in it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-database-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'some.db');
  const steps = ['CREATE TABLE one (a)', 'CREATE TABLE two (b); INSERT INTO two SELECT a FROM one', 'ALTER TABLE two ADD COLUMN c DEFAULT 3'];
  const first = openDatabase(path, steps.slice(0, 1));
  first.exec('INSERT INTO one VALUES (1)');
  first.close();
  for (const known of [2, 3, 3]) {
    const database = openDatabase(path, steps.slice(0, known));
    t.is(schemaVersion(database), known);
    t.deepEqual({ ...database.prepare('SELECT * FROM two').get() }, known === 2 ? { b: 1 } : { b: 1, c: 3 });
    database.close();
  }
});

test('a file of a newer schema is refused and stays byte for byte, one that is damaged is refused too', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-database-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'some.db');
  openDatabase(path, ['CREATE TABLE one (a)', 'CREATE TABLE two (b)']).close();
  const before = readFileSync(path);
  t.true(isKind(t.throws(() => openDatabase(path, ['CREATE TABLE one (a)']), { message: /schema version 2, this release knows 1: start the release/ }), 'newer-format'));
  t.deepEqual(readFileSync(path), before);
  t.deepEqual(readdirSync(folder), ['some.db']);
  writeFileSync(path, 'x'.repeat(4096));
  t.true(isKind(t.throws(() => openDatabase(path, [])), 'corrupt'));
});
