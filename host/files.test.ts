import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { makeDirectories } from './files.ts';

test('a directory is made with its parents, and one that is there stays', async (t) => {
  const top = mkdtempSync(join(tmpdir(), 'berth-files-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  const deep = join(top, 'a/b/c');
  await Promise.all([makeDirectories(deep, 0o750), makeDirectories(deep, 0o750), makeDirectories(join(top, 'a'), 0o750)]);
  t.is(statSync(deep).mode & 0o777, 0o750);
  await makeDirectories(deep, 0o700);
  t.is(statSync(deep).mode & 0o777, 0o750);
});

test('a file system that refuses new directories is told', async (t) => {
  await t.throwsAsync(makeDirectories('/proc/self/none/x', 0o755), { code: 'ENOENT' });
});
