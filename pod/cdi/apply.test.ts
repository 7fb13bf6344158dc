import test from 'ava';
import { secured, specInput } from '../spec/example.ts';
import { containerSpec } from '../spec/spec.ts';
import { withEdits } from './apply.ts';
import type { CompleteEdits } from './edits.ts';

const none: CompleteEdits = { env: [], deviceNodes: [], mounts: [], hooks: [], netDevices: [], additionalGids: [], intelRdt: null };
const base = containerSpec(specInput({}, secured({ run_as_user: { value: '7' }, run_as_group: { value: '8' } }))).spec;
const edited = (...edits: Partial<CompleteEdits>[]) => withEdits(base, edits.map((each) => ({ ...none, ...each })));

test('no edits change nothing', (t) => {
  t.deepEqual(edited({}), base);
});

test('environment and groups are added, a name that is there is set anew', (t) => {
  const { process } = edited({ env: ['A=1', 'HOSTNAME=x'], additionalGids: [44, 8] }, { env: ['A=2'], additionalGids: [44] });
  t.deepEqual(process.env.filter((entry) => /^(A|HOSTNAME)=/.test(entry)), ['HOSTNAME=x', 'A=2']);
  t.deepEqual(process.user.additionalGids, [8, 44]);
});

test('a device node is allowed as it says, replaces one at its path, and belongs to the container unless it says whose it is', (t) => {
  const node = { path: '/dev/x', type: 'c', major: 1, minor: 3, access: 'rw', uid: null, gid: 5 } as const;
  const { linux } = edited({ deviceNodes: [{ ...node, minor: 9 }] }, { deviceNodes: [node, { ...node, path: '/dev/fifo', type: 'p' }] });
  t.deepEqual(linux.devices[0], { path: '/dev/x', type: 'c', major: 1, minor: 3, uid: 7, gid: 5 });
  t.is(linux.devices.length, 2);
  t.deepEqual(linux.resources.devices, [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 9, access: 'rw' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
  ]);
});

test('a mount replaces one at its place and comes after what it lies in', (t) => {
  const { mounts } = edited({
    mounts: [
      { hostPath: '/h', containerPath: '/dev/shm', type: '', options: ['ro'] },
      { hostPath: 'tmpfs', containerPath: '/scratch', type: 'tmpfs', options: ['size=1m'] },
      { hostPath: '/l', containerPath: '/lib/x', type: 'none', options: ['ro', 'bind'] },
    ],
  });
  const at = (path: string) => mounts.filter(({ destination }) => destination === path);
  t.deepEqual(at('/dev/shm'), [{ destination: '/dev/shm', type: 'bind', source: '/h', options: ['rbind', 'ro'] }]);
  t.deepEqual(at('/scratch'), [{ destination: '/scratch', type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] }]);
  t.deepEqual(at('/lib/x'), [{ destination: '/lib/x', type: 'bind', source: '/l', options: ['ro', 'bind'] }]);
  const order = mounts.map(({ destination }) => destination);
  t.true(order.indexOf('/dev') < order.indexOf('/dev/shm'));
});

test('hooks are collected by step, interfaces by name, of classes the last counts', (t) => {
  const hook = { path: '/h', args: ['h'], env: [], timeout: null };
  const { hooks, linux } = edited(
    { hooks: [{ ...hook, name: 'poststop' }], netDevices: [{ hostInterfaceName: 'a', name: 'x' }], intelRdt: { closID: 'one' } },
    { hooks: [{ ...hook, name: 'poststop', timeout: 3 }, { ...hook, name: 'prestart', env: ['A=1'] }], netDevices: [{ hostInterfaceName: 'b', name: 'y' }], intelRdt: { closID: 'two' } },
  );
  t.deepEqual(hooks, {
    poststop: [{ path: '/h', args: ['h'] }, { path: '/h', args: ['h'], timeout: 3 }],
    prestart: [{ path: '/h', args: ['h'], env: ['A=1'] }],
  });
  t.deepEqual([linux.netDevices, linux.intelRdt], [{ a: { name: 'x' }, b: { name: 'y' } }, { closID: 'two' }]);
});
