import type { LinuxContainerSecurityContext } from '../../api/cri.ts';
import { wantsUserNamespace } from './namespaces.ts';

/** True when nothing of the root file system, nor the pod's files in it, may be written. */
export function hasReadonlyRoot(security: LinuxContainerSecurityContext | null): boolean {
  return security?.readonly_rootfs === true;
}

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
  if (wantsUserNamespace(security)) return { masked, readonly };
  return { masked: MASKED_PATHS, readonly: READONLY_PATHS };
}
