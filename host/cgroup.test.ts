import test from 'ava';
import { ancestors, cgroupDirs, cgroupsPath, childPath, hierarchies, parentPath, shimLeaf, shimPath } from './cgroup.ts';

const v1 = [
  '30 29 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
  '31 30 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct',
  '32 30 0:27 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd',
  '33 30 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
].join('\n');

test('a hybrid layout counts as version 1, its empty unified tree carries nothing', (t) => {
  const host = hierarchies(v1);
  t.is(host.version, 1);
  t.deepEqual(cgroupDirs(host, '/a'), { cpu: '/sys/fs/cgroup/cpu/a', cpuacct: '/sys/fs/cgroup/cpu/a' });
  t.is(host.all.length, 3);
});

test('a lone cgroup2 mount is version 2', (t) => {
  t.deepEqual(hierarchies('25 20 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw').mounts, { unified: '/sys/fs/cgroup' });
});

test('no cgroup mount at all is refused', (t) => {
  t.throws(() => hierarchies('1 0 0:1 / / rw - ext4 /dev/vda rw'), { message: /no cgroup file system/ });
});

test('a slice spells out its ancestors', (t) => {
  t.is(
    parentPath('systemd', '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice'),
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice',
  );
  t.is(cgroupsPath('systemd', 'kubepods-pod1.slice', 'c'), 'kubepods-pod1.slice:crio:c');
});

test('a parent that does not fit the driver is refused', (t) => {
  t.throws(() => parentPath('systemd', '/kubepods'), { message: /no systemd slice/ });
  t.throws(() => parentPath('cgroupfs', 'kubepods.slice'), { message: /cgroupfs/ });
  t.throws(() => parentPath('cgroupfs', '/a/../../b'), { message: /leaves/ });
});

test('cgroupfs paths are cleaned and carry the name of CRI-O', (t) => {
  t.is(cgroupsPath('cgroupfs', 'kubepods//pod1/', 'c'), '/kubepods/pod1/crio-c');
  t.is(cgroupsPath('cgroupfs', '/', 'c'), '/crio-c');
  t.deepEqual(ancestors('/a/b'), ['/a/b', '/a']);
});

test("a shim's cgroup is found in its membership, on either version and with either driver", (t) => {
  for (const driver of ['cgroupfs', 'systemd'] as const) {
    const path = childPath('/kubepods/pod1', shimLeaf(driver, '0af'));
    t.is(shimPath(`12:pids:${path}\n0::/\n`), path);
  }
  t.is(shimPath('0::/user.slice\n'), undefined);
});
