import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, copyFileSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { executes } from './executes.ts';

test('a copy is the same program, a changed copy is another, also of the same size', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-executes-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { pid = 0 } = spawn('/bin/sleep', ['600']);
  t.teardown(() => process.kill(pid, 'SIGKILL'));
  const copy = join(folder, 'copy');
  copyFileSync('/bin/sleep', copy);
  t.true(await executes(pid, '/bin/sleep'));
  t.true(await executes(pid, copy));
  appendFileSync(copy, '\0');
  t.false(await executes(pid, copy));
  const changed = join(folder, 'changed');
  copyFileSync('/bin/sleep', changed);
  const file = openSync(changed, 'r+');
  writeSync(file, 'X', 0);
  closeSync(file);
  t.false(await executes(pid, changed));
  await t.throwsAsync(executes(pid, join(folder, 'none')), { code: 'ENOENT' });
});
