import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { askedDevices, hostDevices } from './host-devices.ts';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-devices-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  mkdirSync(join(path, 'deep'));
  execFileSync('mknod', ['-m', '640', join(path, 'deep/high'), 'b', '4095', '1048575']);
  execFileSync('mknod', ['-m', '666', join(path, 'low'), 'c', '1', '3']);
  symlinkSync('deep/high', join(path, 'link'));
  symlinkSync('..', join(path, 'deep/circle'));
  writeFileSync(join(path, 'file'), '');
  return path;
}

const asked = (host_path: string, container_path = '', permissions = '') => askedDevices({ host_path, container_path, permissions });

test('a device is found with its numbers, also through a link, and keeps its own path when no other is given', async (t) => {
  const path = folder(t);
  t.deepEqual(await asked(join(path, 'link'), '/dev/mine', 'r'), [
    { path: '/dev/mine', type: 'b', major: 4095, minor: 1_048_575, fileMode: 0o640, uid: 0, gid: 0, access: 'r' },
  ]);
  t.like(await asked(join(path, 'low')), [{ path: join(path, 'low'), type: 'c', major: 1, minor: 3, access: 'rwm' }]);
});

test('a directory stands for the devices below it, links in it lead nowhere', async (t) => {
  const found = await asked(folder(t), '/dev/all', 'rw');
  t.deepEqual(found.map(({ path, access }) => `${path} ${access}`).sort(), ['/dev/all/deep/high rw', '/dev/all/low rw']);
});

test('what is not there, is no device, or may not be accessed so is refused by name', async (t) => {
  const path = folder(t);
  await t.throwsAsync(asked('/dev/none'), { message: /^device \/dev\/none cannot be found on the host: .*ENOENT/ });
  await t.throwsAsync(asked(join(path, 'file')), { message: /file: that is no device/ });
  await t.throwsAsync(asked('/dev/null', '', 'rx'), { message: /permissions rx are not a subset/ });
});

test("the host's devices are those of /dev without what each container has of its own", async (t) => {
  const paths = (await hostDevices()).map(({ path }) => path);
  t.true(paths.includes('/dev/null'));
  t.deepEqual(paths.filter((path) => /^\/dev\/(pts|shm|ptmx|fd|console)/.test(path)), []);
  t.is(new Set(paths).size, paths.length);
});
