import test from 'ava';
import type { NamespaceOption } from '../../api/cri.ts';
import { securedPod, secured, specInput } from './example.ts';
import { containerSpec } from './spec.ts';
import { onHost, podIdMappings } from './user-namespace.ts';

const range = { container_id: 0, host_id: 65_536, length: 65_536 };
const options: NamespaceOption = {
  network: 'POD', pid: 'POD', ipc: 'POD', target_id: '',
  userns_options: { mode: 'POD', uids: [range], gids: [{ ...range, host_id: 131_072 }] },
};
const mappings = {
  uids: [{ containerId: 0, hostId: 65_536, size: 65_536 }],
  gids: [{ containerId: 0, hostId: 131_072, size: 65_536 }],
};
const user = { path: '/pods/web/user', mappings };

test('one range each from 0 is a user namespace; none asked for and mode NODE are none', (t) => {
  t.deepEqual(podIdMappings(options), mappings);
  t.is(podIdMappings(null), null);
  t.is(podIdMappings({ ...options, userns_options: null }), null);
  t.is(podIdMappings({ ...options, userns_options: { mode: 'NODE', uids: [], gids: [] } }), null);
});

test("a user namespace is not possible beside the host's pid or ipc namespace, but beside its network", (t) => {
  t.throws(() => podIdMappings({ ...options, pid: 'NODE' }), { message: /host's pid namespace/ });
  t.throws(() => podIdMappings({ ...options, ipc: 'NODE' }), { message: /host's ipc namespace/ });
  t.notThrows(() => podIdMappings({ ...options, network: 'NODE' }));
});

const specWith = (pod: NamespaceOption, container: NamespaceOption | null) => {
  const input = specInput({}, secured({ namespace_options: container }));
  return containerSpec({ ...input, sandbox: { ...input.sandbox, config: securedPod({ namespace_options: pod }), user } }).spec;
};

test('a container joins the user namespace of its pod and carries its mappings, also when it asks for nothing', (t) => {
  for (const asked of [options, null, { ...options, userns_options: null }]) {
    const { linux } = specWith(options, asked);
    t.deepEqual(linux.namespaces[0], { type: 'user', path: '/pods/web/user' });
    t.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 65_536, size: 65_536 }]);
    t.deepEqual(linux.gidMappings, [{ containerID: 0, hostID: 131_072, size: 65_536 }]);
  }
});

test("beside the host's network /sys is the host's, read-only with all that is below it", (t) => {
  const { mounts } = specWith({ ...options, network: 'NODE' }, null);
  t.deepEqual(mounts.find(({ destination }) => destination === '/sys')?.options.filter((option) => /^r/.test(option)), ['rbind', 'rprivate', 'rro']);
});

test('terminals have a group only where that exists', (t) => {
  const input = specInput();
  const group = (size: number): string | undefined => {
    const small = { path: '/u', mappings: { uids: [{ containerId: 0, hostId: 9, size }], gids: [{ containerId: 0, hostId: 9, size }] } };
    const { spec } = containerSpec({ ...input, sandbox: { ...input.sandbox, user: small } });
    return spec.mounts.find(({ destination }) => destination === '/dev/pts')?.options.find((option) => option.startsWith('gid='));
  };
  t.deepEqual([group(5), group(6)], [undefined, 'gid=5']);
});

test('users and groups beyond the range are refused', (t) => {
  const input = specInput({}, secured({ run_as_user: { value: '65536' } }));
  t.throws(() => containerSpec({ ...input, sandbox: { ...input.sandbox, user } }), { message: /no user 65536/ });
  const group = specInput({}, secured({ supplemental_groups: ['65536'] }));
  t.throws(() => containerSpec({ ...group, sandbox: { ...group.sandbox, user } }), { message: /no group 65536/ });
  t.deepEqual(onHost({ uid: 33, gid: 34 }, mappings), { uid: 65_569, gid: 131_106 });
  t.deepEqual(onHost({ uid: 33, gid: 34 }, null), { uid: 33, gid: 34 });
});
