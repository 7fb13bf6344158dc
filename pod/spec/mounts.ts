import { posix } from 'node:path';
import type { IDMapping, Mount } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import { mountsRecursiveReadOnly } from '../runtime-features.ts';
import type { UserNamespace } from '../record.ts';
import type { SpecInput } from './input.ts';
import { podNamespaces } from './namespaces.ts';
import type { OciIdMapping, OciMount } from './oci.ts';
import { isShared, isSlaveOrShared } from './propagation.ts';
import { hasReadonlyRoot } from './security.ts';

/**
 * All mounts of a container, parents before what lies in them: kernel file systems, the pod's shm and files, and the
 * asked ones, which win over any of ours on or above the same place.
 * Throws `invalid` for a mount that contradicts itself, `rro-unsupported` where host or runtime cannot do it.
 */
export function mounts(input: SpecInput): OciMount[] {
  const asked = input.container.config.mounts.map((mount) => bindMount(mount, input));
  const ours = [...kernelMounts(input), ...podMounts(input)].filter(
    ({ destination }) => !asked.some((mount) => covers(mount.destination, destination)),
  );
  return parentsFirst([...ours, ...asked]);
}

/** Mounts in an order in which none covers another that lies in it; otherwise the order stays. */
export function parentsFirst(list: readonly OciMount[]): OciMount[] {
  return list.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

/** Propagation of the container's root, wide enough for the asked mounts; undefined leaves the runtime's default. */
export function rootfsPropagation(asked: Mount[]): 'shared' | 'slave' | undefined {
  if (asked.some(({ propagation }) => propagation === 'PROPAGATION_BIDIRECTIONAL')) return 'shared';
  return asked.some(({ propagation }) => propagation === 'PROPAGATION_HOST_TO_CONTAINER') ? 'slave' : undefined;
}

function kernelMounts({ sandbox, container }: SpecInput): OciMount[] {
  const access = container.config.linux?.security_context?.privileged ? 'rw' : 'ro';
  const strict = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: strict },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(hasGroup(sandbox.user, TTY_GROUP) ? [`gid=${TTY_GROUP}`] : [])],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: strict },
    sysfs(sandbox, [...strict, access]),
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...strict, 'relatime', access] },
  ];
}

/** Debian's number of the group that terminals belong to; others have the same. */
const TTY_GROUP = 5;

const hasGroup = (user: UserNamespace | null, id: number): boolean => user === null || id < (user.mappings.gids[0]?.size ?? 0);

/** Root of a user namespace may not mount a sysfs of the host's network: it is shown the host's, and can change nothing. */
function sysfs(sandbox: SpecInput['sandbox'], options: string[]): OciMount {
  if (sandbox.user === null || podNamespaces({ sandbox }).network === 'pod') {
    return { destination: '/sys', type: 'sysfs', source: 'sysfs', options };
  }
  return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rro'] };
}

function podMounts({ sandbox, container }: SpecInput): OciMount[] {
  const readonly = hasReadonlyRoot(container.config.linux?.security_context ?? null);
  const file = (destination: string, source: string): OciMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', readonly ? 'ro' : 'rw'],
  });
  return [
    {
      destination: '/dev/shm',
      type: 'bind',
      source: podNamespaces({ sandbox }).ipc === 'host' ? '/dev/shm' : sandbox.shmPath,
      options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rw'],
    },
    file('/etc/hosts', sandbox.files.hosts),
    file('/etc/hostname', sandbox.files.hostname),
    file('/etc/resolv.conf', sandbox.files.resolvConf),
  ];
}

function bindMount(mount: Mount, input: SpecInput): OciMount {
  const refuse = (why: string): RuntimeError => new RuntimeError('invalid', `mount ${mount.container_path}: ${why}`);
  if (mount.container_path === '')
    throw new RuntimeError('invalid', `mount of ${mount.host_path}: container_path is empty`);
  if (mount.image_sub_path !== '') throw refuse('image_sub_path without an image');
  if (mount.host_path === '') throw refuse('host_path is empty');
  if (mount.container_path.includes('\0')) throw refuse('container_path holds a NUL byte');
  const destination = posix.join('/', mount.container_path).replace(/(.)\/$/, '$1');
  if (destination === '/') throw refuse('nothing can be mounted on the root of a container');
  return {
    destination,
    type: 'bind',
    source: mount.host_path,
    options: [
      'rbind',
      propagation(mount, input.found?.mountinfo ?? ''),
      ...access(mount, input),
      ...restrictions(mount),
    ],
    ...(mount.uidMappings.length > 0 ? { uidMappings: mount.uidMappings.map(idMapping) } : {}),
    ...(mount.gidMappings.length > 0 ? { gidMappings: mount.gidMappings.map(idMapping) } : {}),
  };
}

function propagation({ propagation: mode, host_path: path }: Mount, mountinfo: string): string {
  if (mode === 'PROPAGATION_PRIVATE') return 'rprivate';
  if (mode === 'PROPAGATION_BIDIRECTIONAL') {
    if (isShared(mountinfo, path)) return 'rshared';
    throw new RuntimeError(
      'invalid',
      `mount of ${path}: bidirectional propagation needs a shared mount, make it so with mount --make-rshared`,
    );
  }
  if (isSlaveOrShared(mountinfo, path)) return 'rslave';
  throw new RuntimeError('invalid', `mount of ${path}: propagation from the host needs a shared or slave mount there`);
}

function access(mount: Mount, { host, features }: SpecInput): string[] {
  if (!mount.recursive_read_only) return [mount.readonly ? 'ro' : 'rw'];
  if (!mount.readonly)
    throw new RuntimeError('invalid', `mount ${mount.container_path}: recursive_read_only without readonly`);
  if (mount.propagation !== 'PROPAGATION_PRIVATE') {
    throw new RuntimeError('invalid', `mount ${mount.container_path}: recursive_read_only needs private propagation`);
  }
  if (!host.recursiveReadOnly || !mountsRecursiveReadOnly(features)) {
    const why = host.recursiveReadOnly ? 'the OCI runtime does not know the mount option rro' : 'it takes Linux 5.12';
    throw new RuntimeError('rro-unsupported', `mount ${mount.container_path} cannot be read-only recursively: ${why}`);
  }
  return ['rro'];
}

function restrictions(mount: Mount): string[] {
  const unknown = mount.mount_options.find((option) => !['noexec', 'nodev', 'nosuid'].includes(option));
  if (unknown === undefined) return mount.mount_options;
  throw new RuntimeError(
    'invalid',
    `mount ${mount.container_path}: option ${unknown} is none of noexec, nodev, nosuid`,
  );
}

const idMapping = (mapping: IDMapping): OciIdMapping => ({
  containerID: mapping.container_id,
  hostID: mapping.host_id,
  size: mapping.length,
});

const covers = (outer: string, inner: string): boolean => inner === outer || inner.startsWith(`${outer}/`);

const depth = (path: string): number => path.split('/').filter(Boolean).length;
