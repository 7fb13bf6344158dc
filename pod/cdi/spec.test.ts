import test from 'ava';
import { readCdiSpec } from './spec.ts';

const minimal = { cdiVersion: '0.6.0', kind: 'vendor.com/gpu', devices: [{ name: '0' }] };
const withEdits = (containerEdits: object) => ({ ...minimal, containerEdits });

test('everything that a file can say is read, names in any case', (t) => {
  const spec = readCdiSpec({
    ...minimal,
    annotations: { any: 'thing' },
    devices: [{ name: 'gpu-0:1', annotations: {}, containerEdits: { DeviceNodes: [{ path: '/dev/x' }] } }],
    containerEdits: {
      env: ['A=b=c', 'EMPTY='],
      deviceNodes: [
        { path: '/dev/a', hostPath: '/dev/b', type: 'u', major: 1, minor: 3, fileMode: 0o660, permissions: 'rw', uid: 5, gid: 6 },
      ],
      mounts: [{ hostPath: '/lib/x', containerPath: '/usr/lib/x', options: ['ro', 'rbind'], type: 'none' }],
      hooks: [{ hookName: 'createContainer', path: '/bin/hook', args: ['hook', 'x'], env: ['B=1'], timeout: 5 }],
      netDevices: [{ hostInterfaceName: 'eth5', name: 'net0' }],
      additionalGIDs: [0, 44],
      intelRdt: { closID: 'gold', schemata: ['L3:0=f'], enableMonitoring: true },
    },
  });
  const node = { path: '/dev/x', hostPath: '/dev/x', type: '', major: 0, minor: 0, fileMode: null, permissions: 'rwm', uid: null, gid: null };
  t.deepEqual(spec.devices.map(({ name, edits }) => [name, edits.deviceNodes]), [['gpu-0:1', [node]]]);
  t.deepEqual(spec.edits, {
    env: ['A=b=c', 'EMPTY='],
    deviceNodes: [{ path: '/dev/a', hostPath: '/dev/b', type: 'c', major: 1, minor: 3, fileMode: 0o660, permissions: 'rw', uid: 5, gid: 6 }],
    mounts: [{ hostPath: '/lib/x', containerPath: '/usr/lib/x', options: ['ro', 'rbind'], type: 'none' }],
    hooks: [{ name: 'createContainer', path: '/bin/hook', args: ['hook', 'x'], env: ['B=1'], timeout: 5 }],
    netDevices: [{ hostInterfaceName: 'eth5', name: 'net0' }],
    additionalGids: [44],
    intelRdt: { closID: 'gold', schemata: ['L3:0=f'], enableMonitoring: true },
  });
});

test('a number in place of a text is its digits, as YAML has names such as 0', (t) => {
  t.is(readCdiSpec({ ...minimal, devices: [{ name: 0 }] }).devices[0]?.name, '0');
});

for (const [what, value, message] of [
  ['no object', [], /spec is no object/],
  ['a version of the future', { ...minimal, cdiVersion: '2.0.0' }, /cdiVersion 2\.0\.0 is not one/],
  ['a kind without class', { ...minimal, kind: 'vendor.com' }, /kind vendor\.com is not VENDOR\/CLASS/],
  ['no devices', { ...minimal, devices: [] }, /devices is empty/],
  ['a device twice', { ...minimal, devices: [{ name: 'a' }, { name: 'a' }] }, /devices has a twice/],
  ['a name that is none', { ...minimal, devices: [{ name: '-a' }] }, /-a is no name/],
  ['an edit that is not known', withEdits({ teleport: [] }), /spec\.containerEdits has an unknown field teleport/],
  ['a list that is none', withEdits({ env: 'A=b' }), /containerEdits\.env is no list/],
  ['an environment without name', withEdits({ env: ['=b'] }), /"=b" is not NAME=VALUE/],
  ['a relative device', withEdits({ deviceNodes: [{ path: 'dev/x' }] }), /path dev\/x is not absolute/],
  ['a type of node', withEdits({ deviceNodes: [{ path: '/dev/x', type: 'd' }] }), /type d is none of/],
  ['an access', withEdits({ deviceNodes: [{ path: '/dev/x', permissions: 'rwx' }] }), /permissions rwx/],
  ['a number', withEdits({ deviceNodes: [{ path: '/dev/x', major: -1 }] }), /deviceNodes\[0\]\.major is no whole number/],
  ['a mount to nowhere', withEdits({ mounts: [{ hostPath: '/x' }] }), /mounts\[0\]\.containerPath is missing/],
  ['a hook', withEdits({ hooks: [{ hookName: 'sometimes', path: '/x' }] }), /hook sometimes is none of/],
  ['a relative hook', withEdits({ hooks: [{ hookName: 'poststop', path: 'x' }] }), /path x is not absolute/],
] as const) {
  test(`a file with a wrong part says which: ${what}`, (t) => void t.throws(() => readCdiSpec(value), { message }));
}
