import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openBelow } from './open-below.ts';

function tree(t: ExecutionContext): string {
  const top = mkdtempSync(join(tmpdir(), 'berth-below-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  mkdirSync(join(top, 'logs/c'), { recursive: true });
  writeFileSync(join(top, 'logs/c/0.log'), 'said');
  writeFileSync(join(top, 'secret'), 'secret');
  return top;
}

const read = async (folder: string, below: string): Promise<string> => {
  const file = await openBelow(folder, below);
  return file.readFile('utf8').finally(() => file.close());
};

test('a file below a folder is opened, also where a link leads to the folder', async (t) => {
  const top = tree(t);
  symlinkSync('logs', join(top, 'link'));
  t.is(await read(join(top, 'logs'), 'c/0.log'), 'said');
  t.is(await read(join(top, 'link'), './c//0.log'), 'said');
});

test('no link below the folder is followed, and nothing leads out', async (t) => {
  const top = tree(t);
  symlinkSync('../../secret', join(top, 'logs/c/1.log'));
  symlinkSync('..', join(top, 'logs/up'));
  await t.throwsAsync(read(join(top, 'logs'), 'c/1.log'), { code: 'ELOOP' });
  await t.throwsAsync(read(join(top, 'logs'), 'up/secret'), { code: 'ENOTDIR' });
  for (const path of ['../secret', 'c/../../secret', '', '/']) await t.throwsAsync(read(join(top, 'logs'), path), { code: 'EINVAL' });
});

test.serial('no descriptor stays open, whether it succeeds or fails', async (t) => {
  const top = tree(t);
  for (let i = 0; i < 20; i++) {
    await read(join(top, 'logs'), 'c/0.log');
    await t.throwsAsync(read(join(top, 'logs'), 'c/none'));
  }
  t.deepEqual(openIn(top), []);
});

/** What this process has open at that folder or below it. */
function openIn(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder) ? [fd] : [];
    } catch {
      return [];
    }
  });
}
