import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { asRuntimeError } from './errors.ts';

test('what the system says when a resource is used up counts as exhausted, all else of it as internal', (t) => {
  const systemError = (code: string) => Object.assign(new Error(`${code}: said the system`), { code });
  for (const code of ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']) t.is(asRuntimeError(systemError(code)).kind, 'exhausted', code);
  for (const code of ['ENOENT', 'EIO']) t.is(asRuntimeError(systemError(code)).kind, 'internal', code);
});

test('a database that is full counts as exhausted', (t) => {
  const database = new DatabaseSync(':memory:');
  database.exec('PRAGMA max_page_count = 4; CREATE TABLE bytes (some BLOB)');
  const error = t.throws(() => database.exec('INSERT INTO bytes VALUES (zeroblob(100000))'));
  t.is(asRuntimeError(error).kind, 'exhausted');
});
