import type { LinuxContainerSecurityContext } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { SpecInput } from './input.ts';

/** What of /proc and /sys is hidden from containers: kernel memory, keys, timers, power and firmware. */
export const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** What of /proc containers may read only. */
export const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/**
 * The paths to hide and to make read-only. The kubelet names them, also for the default procMount; two empty lists ask
 * for the defaults, because a pod with procMount Unmasked has a user namespace and other clients (crictl) name none.
 * A privileged container sees all.
 */
export function protectedPaths(security: LinuxContainerSecurityContext | null): {
  masked: string[];
  readonly: string[];
} {
  if (security?.privileged) return { masked: [], readonly: [] };
  const { masked_paths: masked = [], readonly_paths: readonly = [] } = security ?? {};
  if (masked.length > 0 || readonly.length > 0) return { masked, readonly };
  if (security?.namespace_options?.userns_options?.mode === 'POD') return { masked, readonly };
  return { masked: MASKED_PATHS, readonly: READONLY_PATHS };
}

/** Name of the AppArmor profile for RuntimeDefault; it counts where it is loaded. */
export const DEFAULT_APPARMOR_PROFILE = 'berth-default';

/**
 * The AppArmor profile, null for none (also when privileged). The field wins over the older string. `loaded` is null
 * where AppArmor is off. Throws `invalid` for a Localhost profile that is not loaded.
 */
export function apparmorProfile(
  security: LinuxContainerSecurityContext | null,
  loaded: string[] | null,
): string | null {
  const name = security === null || security.privileged ? null : apparmorWish(security);
  if (name === null) return null;
  if (name === DEFAULT_APPARMOR_PROFILE) return loaded?.includes(name) ? name : null;
  if (loaded === null)
    throw new RuntimeError('unsupported', `AppArmor profile ${name}: AppArmor is not enabled on this host`);
  if (!loaded.includes(name))
    throw new RuntimeError('invalid', `AppArmor profile ${name} is not loaded: load it with apparmor_parser`);
  return name;
}

function apparmorWish(security: LinuxContainerSecurityContext): string | null {
  const { apparmor, apparmor_profile: old } = security;
  if (apparmor) {
    if (apparmor.profile_type === 'Unconfined') return null;
    return apparmor.profile_type === 'RuntimeDefault'
      ? DEFAULT_APPARMOR_PROFILE
      : apparmor.localhost_ref.replace(/^localhost\//, '');
  }
  if (old === 'unconfined') return null;
  return old === '' || old === 'runtime/default' ? DEFAULT_APPARMOR_PROFILE : old.replace(/^localhost\//, '');
}

/** SELinux label of the container's processes, null when none is asked for; parts left out have the usual defaults. */
export function selinuxLabel({ sandbox, container }: SpecInput): string | null {
  const own = container.config.linux?.security_context?.selinux_options;
  const options = own ?? sandbox.config.linux?.security_context?.selinux_options;
  if (!options || !(options.user || options.role || options.type || options.level)) return null;
  return [
    options.user || 'system_u',
    options.role || 'system_r',
    options.type || 'container_t',
    options.level || 's0',
  ].join(':');
}
