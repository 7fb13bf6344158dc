import type { Capability } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { OciCapabilities } from './oci.ts';

/** Every capability that Linux knows, by its number (capabilities(7)). */
export const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/**
 * What a container has when it asks for nothing: CRI-O's nine. containerd gives MKNOD, NET_RAW, SYS_CHROOT, AUDIT_WRITE
 * and SETFCAP too, which few programs need and each of which has opened a way out of a container before.
 */
export const DEFAULT_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'KILL',
].map((name) => `CAP_${name}`);

/**
 * A container's capability sets: the default, or all with privileged or `ALL` added; none with `ALL` dropped; then the
 * names added, then those dropped; never more than `own`, the daemon's. Names count with or without `CAP_`, in any
 * case. Nothing is inheritable but what is ambient. Throws `invalid` for a name that Linux does not know.
 */
export function capabilities(asked: Capability | null, privileged: boolean, own: string[]): OciCapabilities {
  const add = names(asked?.add_capabilities ?? []);
  const drop = names(asked?.drop_capabilities ?? []);
  const ambient = names(asked?.add_ambient_capabilities ?? []);
  const base = privileged || add.includes(ALL) ? own : DEFAULT_CAPABILITIES;
  const kept = drop.includes(ALL) && !privileged ? [] : base;
  const wanted = new Set(privileged ? base : [...kept, ...add, ...ambient].filter((name) => !drop.includes(name)));
  const held = own.filter((name) => wanted.has(name));
  const raised = held.filter((name) => ambient.includes(name) || (ambient.includes(ALL) && wanted.has(name)));
  return { bounding: held, effective: held, permitted: held, inheritable: raised, ambient: raised };
}

const ALL = 'CAP_ALL';

function names(list: string[]): string[] {
  return list.map((given) => {
    const upper = given.toUpperCase();
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (name !== ALL && !CAPABILITIES.includes(name))
      throw new RuntimeError('invalid', `capability ${given} is not known`);
    return name;
  });
}
