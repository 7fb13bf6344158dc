import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { cdiEdits } from './read.ts';

function folder(t: ExecutionContext, files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-cdi-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const yaml = `
cdiVersion: "0.5.0"
kind: vendor.com/net
devices:
- name: tun
  containerEdits:
    deviceNodes:
    - path: /dev/ours
      hostPath: /dev/net/tun
      fileMode: 0640
      permissions: rw
- name: none
  containerEdits: {deviceNodes: [{path: /dev/berth-none}]}
- name: virtual
  containerEdits: {deviceNodes: [{path: /dev/berth-none, type: c, major: 250, minor: 7}]}
- name: wrong
  containerEdits: {deviceNodes: [{path: /dev/null, type: b, major: 1, minor: 3}]}
`;

test('a device node is filled in from the host, what the file says of it counts', async (t) => {
  const directories = [folder(t, { 'net.yaml': yaml }), '/berth-none'];
  const [, edits] = await cdiEdits(['vendor.com/net=tun'], directories);
  t.deepEqual(edits?.deviceNodes, [{ path: '/dev/ours', type: 'c', major: 10, minor: 200, fileMode: 0o640, uid: null, gid: null, access: 'rw' }]);
});

test('a node that the host does not have must be described whole', async (t) => {
  const directories = [folder(t, { 'net.yml': yaml })];
  const [, virtual] = await cdiEdits(['vendor.com/net=virtual'], directories);
  t.like(virtual?.deviceNodes, [{ path: '/dev/berth-none', major: 250, minor: 7 }]);
  await t.throwsAsync(cdiEdits(['vendor.com/net=none'], directories), { message: /there is no device \/dev\/berth-none on the host/ });
  await t.throwsAsync(cdiEdits(['vendor.com/net=wrong'], directories), { message: /\/dev\/null is of type c, not b/ });
});

test('files that cannot be read do not stand in the way of others, and are named when a device is missing', async (t) => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.split('').map((name, at) => `${name}: &${name} [${`*${'abcdefghi'[at]},`.repeat(9)}]`).join('\n')}\n`;
  const path = folder(t, {
    'a.json': '{', 'b.yaml': bomb, 'c.json': '{"cdiVersion":"0.6.0"}', 'net.yaml': yaml, 'ignored.txt': '', 'large.json': ' '.repeat((4 << 20) + 1),
  });
  mkdirSync(join(path, 'folder.json'));
  symlinkSync('/nowhere', join(path, 'dangling.json'));
  execFileSync('mkfifo', [join(path, 'pipe.yaml')]);
  t.is((await cdiEdits(['vendor.com/net=virtual'], [path])).length, 2);
  const { message } = await t.throwsAsync(cdiEdits(['vendor.com/net=missing'], [path]));
  for (const reason of [/a\.json cannot be read/, /b\.yaml cannot be read: .*alias/i, /c\.json.*spec\.kind is missing/, /folder\.json.*no regular file/, /pipe\.yaml.*no regular file/, /dangling\.json.*ENOENT/, /large\.json.*larger than/]) t.regex(message, reason);
  t.notRegex(message, /ignored/);
});

test('no device is asked for, no directory is read', async (t) => {
  t.deepEqual(await cdiEdits([], ['/berth-none']), []);
});
