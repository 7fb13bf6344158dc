import test from 'ava';
import type { Mount } from '../../api/cri.ts';
import { isKind } from '../../api/errors.ts';
import { containerConfig, plainHost, secured, specInput } from './example.ts';
import { mounts, rootfsPropagation } from './mounts.ts';
import { isShared, isSlaveOrShared } from './propagation.ts';

const mount = (changes: Partial<Mount>): Mount => ({
  container_path: '/data',
  host_path: '/srv/data',
  readonly: false,
  selinux_relabel: false,
  propagation: 'PROPAGATION_PRIVATE',
  uidMappings: [],
  gidMappings: [],
  recursive_read_only: false,
  image: null,
  image_sub_path: '',
  mount_options: [],
  ...changes,
});
const made = (asked: Partial<Mount>[], changes: Parameters<typeof specInput>[0] = {}) =>
  mounts(specInput(changes, containerConfig({ mounts: asked.map(mount) })));
const options = (asked: Partial<Mount>, changes = {}): string[] | undefined =>
  made([asked], changes).find(({ destination }) => destination === '/data')?.options;

test("every container has the kernel's file systems and its pod's files, parents first", (t) => {
  t.deepEqual(
    made([]).map(({ destination }) => destination),
    [
      '/proc',
      '/dev',
      '/sys',
      '/dev/pts',
      '/dev/mqueue',
      '/dev/shm',
      '/etc/hosts',
      '/etc/hostname',
      '/etc/resolv.conf',
      '/sys/fs/cgroup',
    ],
  );
  t.true(
    made([])
      .find(({ destination }) => destination === '/sys')
      ?.options.includes('ro'),
  );
});

test('what is asked for wins over ours, there and below', (t) => {
  const result = made([
    { container_path: '/etc/hosts', host_path: '/kubelet/hosts' },
    { container_path: '/dev/', host_path: '/dev' },
    { container_path: '/sys', host_path: '/sys' },
  ]);
  t.deepEqual(
    result.map(({ destination, source }) => `${destination}=${source}`),
    [
      '/proc=proc',
      '/dev=/dev',
      '/sys=/sys',
      '/etc/hostname=/pod/hostname',
      '/etc/resolv.conf=/pod/resolv.conf',
      '/etc/hosts=/kubelet/hosts',
    ],
  );
});

test("mounts inside mounts come after what they lie in, others keep the kubelet's order", (t) => {
  const paths = ['/a/b/c', '/z', '/a', '/a/b'].map((container_path) => ({ container_path }));
  t.deepEqual(
    made(paths)
      .map(({ destination }) => destination)
      .filter((path) => /^\/[az]/.test(path)),
    ['/z', '/a', '/a/b', '/a/b/c'],
  );
});

test("the pod's files are read-only with a read-only root", (t) => {
  const hosts = mounts(specInput({}, secured({ readonly_rootfs: true }))).find(
    ({ destination }) => destination === '/etc/hosts',
  );
  t.deepEqual(hosts?.options, ['rbind', 'rprivate', 'ro']);
});

const shared = [
  '30 1 0:1 / / rw - ext4 d rw',
  '31 30 0:2 / /srv rw shared:5 - tmpfs t rw',
  '32 30 0:3 / /slave rw master:5 - tmpfs t rw',
  '33 31 0:4 / /srv/with\\040blank rw - tmpfs t rw',
].join('\n');
const found = { devices: [], seccompProfile: null, mountinfo: shared, apparmorProfiles: null };

test('options follow the wish', (t) => {
  t.deepEqual(options({}), ['rbind', 'rprivate', 'rw']);
  t.deepEqual(options({ readonly: true, mount_options: ['noexec', 'nodev'] }), [
    'rbind',
    'rprivate',
    'ro',
    'noexec',
    'nodev',
  ]);
  t.deepEqual(options({ readonly: true, recursive_read_only: true }), ['rbind', 'rprivate', 'rro']);
  t.deepEqual(options({ propagation: 'PROPAGATION_BIDIRECTIONAL' }, { found }), ['rbind', 'rshared', 'rw']);
  t.deepEqual(options({ propagation: 'PROPAGATION_HOST_TO_CONTAINER', host_path: '/slave/x' }, { found }), [
    'rbind',
    'rslave',
    'rw',
  ]);
});

const refused: [string, Partial<Mount>, RegExp][] = [
  [
    'bidirectional propagation of a private mount',
    { propagation: 'PROPAGATION_BIDIRECTIONAL', host_path: '/other' },
    /needs a shared mount/,
  ],
  [
    'propagation from a private mount',
    { propagation: 'PROPAGATION_HOST_TO_CONTAINER', host_path: '/other' },
    /needs a shared or slave mount/,
  ],
  ['recursive read-only that may be written', { recursive_read_only: true }, /without readonly/],
  [
    'recursive read-only with propagation',
    { recursive_read_only: true, readonly: true, propagation: 'PROPAGATION_HOST_TO_CONTAINER' },
    /needs private/,
  ],
  ['an option that is none', { mount_options: ['suid'] }, /option suid is none of/],
  ['no source', { host_path: '' }, /host_path is empty/],
  ['no destination', { container_path: '' }, /container_path is empty/],
  ['a sub path of no image', { image_sub_path: 'x' }, /image_sub_path without an image/],
  ['the root', { container_path: '/x/../..' }, /on the root of a container/],
];
for (const [what, asked, message] of refused)
  test(`${what} is refused`, (t) => void t.throws(() => made([asked], { found }), { message }));

test('a kernel or runtime that cannot mount read-only recursively is told apart', (t) => {
  for (const [changes, message] of [
    [{ host: { ...plainHost, recursiveReadOnly: false } }, /takes Linux 5\.12/],
    [{ features: { mountOptions: ['ro'], idMappedMounts: true } }, /runtime does not know the mount option rro/],
  ] as const) {
    const error = t.throws(() => made([{ readonly: true, recursive_read_only: true }], changes), { message });
    t.true(isKind(error, 'rro-unsupported'));
  }
});

test("the root's propagation is as wide as the widest mount's", (t) => {
  t.is(rootfsPropagation([mount({})]), undefined);
  t.is(rootfsPropagation([mount({ propagation: 'PROPAGATION_HOST_TO_CONTAINER' })]), 'slave');
  t.is(
    rootfsPropagation([
      mount({ propagation: 'PROPAGATION_HOST_TO_CONTAINER' }),
      mount({ propagation: 'PROPAGATION_BIDIRECTIONAL' }),
    ]),
    'shared',
  );
});

test('propagation is that of the mount a path lies on', (t) => {
  t.deepEqual(
    ['/srv/a', '/srv', '/srvx', '/slave', '/srv/with blank/x'].map((path) => isShared(shared, path)),
    [true, true, false, false, false],
  );
  t.true(isSlaveOrShared(shared, '/slave'));
});
