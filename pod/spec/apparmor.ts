import { readFile } from 'node:fs/promises';
import type { LinuxContainerSecurityContext } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/** Name of the AppArmor profile for RuntimeDefault; it counts where it is loaded. */
export const DEFAULT_APPARMOR_PROFILE = 'berth-default';

/**
 * The default profile (apparmor.d(5)): a container may do with its own processes and files what it likes, but mount
 * nothing, and neither read nor turn the kernel's knobs that no namespace holds, also where /proc and /sys are writable.
 */
export const DEFAULT_APPARMOR_TEXT = `profile ${DEFAULT_APPARMOR_PROFILE} flags=(attach_disconnected,mediate_deleted) {
  network,
  capability,
  file,
  umount,

  signal (receive) peer=unconfined,
  signal (send, receive) peer=${DEFAULT_APPARMOR_PROFILE},
  ptrace (trace, read, tracedby, readby) peer=${DEFAULT_APPARMOR_PROFILE},

  deny /proc/{kcore,kmem,mem,sysrq-trigger,kpage*} rwklx,
  deny /proc/{acpi,bus,fs,irq,scsi}/** wklx,
  deny /proc/sys/{abi,debug,dev,user,vm}/** wklx,
  deny /proc/sys/fs/{[^m]*,m[^q]*}{,/**} wklx,
  deny /proc/sys/kernel/{[^ms]*,m[^s]*,s[^eh]*,se[^m]*}{,/**} wklx,

  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
  deny /sys/{block,bus,class,dev,devices,hypervisor,kernel,module,power}/** wklx,
}
`;

/** Names of the AppArmor profiles that the kernel has loaded now; null where AppArmor is off. */
export async function loadedProfiles(): Promise<string[] | null> {
  const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  if (!(await text('/sys/module/apparmor/parameters/enabled')).startsWith('Y')) return null;
  return profileNames(await text('/sys/kernel/security/apparmor/profiles'));
}

/** Names out of securityfs' list: each line is `NAME (MODE)`. */
export function profileNames(list: string): string[] {
  return list.split('\n').map((line) => line.replace(/ \(\w+\)$/, '')).filter(Boolean);
}

/**
 * The AppArmor profile, null for none (also when privileged). The field wins over the older string. `loaded` is null
 * where AppArmor is off. Throws `invalid` for a Localhost profile that is not loaded, `unsupported` where none can be.
 */
export function apparmorProfile(security: LinuxContainerSecurityContext | null, loaded: string[] | null): string | null {
  const name = security?.privileged ? null : apparmorWish(security);
  if (name === null) return null;
  if (name === DEFAULT_APPARMOR_PROFILE) return loaded?.includes(name) ? name : null;
  if (loaded === null) throw new RuntimeError('unsupported', `AppArmor profile ${name}: AppArmor is not enabled on this host`);
  if (!loaded.includes(name)) throw new RuntimeError('invalid', `AppArmor profile ${name} is not loaded: load it with apparmor_parser`);
  return name;
}

function apparmorWish(security: LinuxContainerSecurityContext | null): string | null {
  const field = security?.apparmor;
  if (field) {
    if (field.profile_type === 'Unconfined') return null;
    return field.profile_type === 'RuntimeDefault' ? DEFAULT_APPARMOR_PROFILE : localName(field.localhost_ref);
  }
  const old = security?.apparmor_profile ?? '';
  if (old === 'unconfined') return null;
  return old === '' || old === 'runtime/default' ? DEFAULT_APPARMOR_PROFILE : localName(old);
}

function localName(reference: string): string {
  const name = reference.replace(/^localhost\//, '');
  if (name === '') throw new RuntimeError('invalid', 'AppArmor profile: Localhost without a name');
  return name;
}
