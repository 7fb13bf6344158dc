import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { containerConfig } from '../spec/example.ts';
import { type CdiFile, findEdits } from './find.ts';
import { askedCdiDevices } from './names.ts';
import { readCdiSpec } from './spec.ts';

const edits = (mark: string) => ({ env: [`MARK=${mark}`] });
const file = (path: string, directory: number, names: string[], kind = 'vendor.com/gpu'): CdiFile => ({
  path, directory,
  spec: readCdiSpec({
    cdiVersion: '0.6.0', kind, containerEdits: edits(path),
    devices: names.map((name) => ({ name, containerEdits: edits(`${path}:${name}`) })),
  }),
});
const found = (files: CdiFile[], ...names: string[]): string[] =>
  findEdits(files, names, ['/etc/cdi', '/run/cdi']).map(({ env }) => env.join().replace('MARK=', ''));

test('what a file changes for all its devices comes once, before the first of them', (t) => {
  const files = [file('/a', 0, ['0', '1']), file('/b', 0, ['0'], 'vendor.com/nic')];
  t.deepEqual(found(files, 'vendor.com/gpu=1', 'vendor.com/nic=0', 'vendor.com/gpu=0'), ['/a', '/a:1', '/b', '/b:0', '/a:0']);
});

test('a later directory counts more', (t) => {
  t.deepEqual(found([file('/run', 1, ['0']), file('/etc', 0, ['0', '1'])], 'vendor.com/gpu=0', 'vendor.com/gpu=1'), ['/run', '/run:0', '/etc', '/etc:1']);
});

test('a device in two files of one rank is refused, other devices of these files are not', (t) => {
  const files = [file('/etc/a', 0, ['0', '1']), file('/etc/b', 0, ['0'])];
  t.throws(() => found(files, 'vendor.com/gpu=0'), { message: /gpu=0 is in two files, \/etc\/a and \/etc\/b/ });
  t.notThrows(() => found(files, 'vendor.com/gpu=1'));
});

test('a device that no file has is refused with the directories and the files that cannot be read', (t) => {
  const files: CdiFile[] = [file('/etc/a', 0, ['0']), { path: '/etc/b', directory: 0, error: 'bad' }];
  const error = t.throws(() => found(files, 'vendor.com/gpu=7'), { message: /gpu=7 is in no file of \/etc\/cdi, \/run\/cdi; \/etc\/b cannot be read: bad$/ });
  t.true(isKind(error, 'invalid'));
  t.deepEqual(found(files, 'vendor.com/gpu=0'), ['/etc/a', '/etc/a:0']);
});

test('devices are asked for by field and by annotation, each once', (t) => {
  const asked = containerConfig({
    CDI_devices: [{ name: 'v.com/c=0' }, { name: 'v.com/c=0' }],
    annotations: { 'cdi.k8s.io/plugin_1': 'v.com/c=0,v.com/c=a:b', 'other/x': 'v.com/c=9' },
  });
  t.deepEqual(askedCdiDevices(asked), ['v.com/c=0', 'v.com/c=a:b']);
  for (const name of ['', 'gpu', 'v.com/c', 'v.com=c', '/c=0', 'v.com/c=', 'v.com/c/d=0', 'v.com/c=a b']) {
    t.throws(() => askedCdiDevices(containerConfig({ CDI_devices: [{ name }] })), { message: /is not VENDOR\/CLASS=DEVICE/ }, name);
  }
});
