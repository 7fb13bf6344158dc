import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'ava';
import { holdDirectory } from './lock.ts';

test('a directory is held once and free again after release', (t) => {
  const directory = mkdtempSync(`${tmpdir()}/berth-lock-`);
  t.teardown(() => rmSync(directory, { recursive: true }));
  const release = holdDirectory(directory);
  t.throws(() => holdDirectory(directory), { message: /belongs to another berthd/ });
  release();
  t.notThrows(() => holdDirectory(directory)());
});
