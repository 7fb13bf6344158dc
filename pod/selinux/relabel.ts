import { normalize } from 'node:path';
import type { Mount } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/** Directories that the system, or much more than one volume, lives in. */
const OF_THE_SYSTEM = new Set([
  '/', '/bin', '/boot', '/dev', '/etc', '/etc/passwd', '/etc/pki', '/etc/shadow', '/home', '/lib', '/lib32', '/lib64',
  '/media', '/mnt', '/opt', '/proc', '/root', '/run', '/sbin', '/srv', '/sys', '/system', '/tmp', '/usr', '/usr/bin',
  '/usr/lib', '/usr/lib64', '/usr/local', '/usr/sbin', '/usr/share', '/var', '/var/lib', '/var/log', '/var/run', '/var/tmp',
]);

/** What the kernel shows there belongs to nobody's pod. */
const OF_THE_KERNEL = ['/dev/', '/proc/', '/sys/'];

/**
 * The host paths that are to have a container's label; mounts are expected resolved. Throws `invalid` for one whose
 * new label could lock the system out of its own files.
 */
export function treesToRelabel(mounts: readonly Mount[]): string[] {
  const trees = mounts.filter(({ selinux_relabel, image }) => selinux_relabel && !image?.image);
  return trees.map(({ container_path, host_path }) => {
    const path = normalize(host_path).replace(/(.)\/+$/, '$1');
    if (!OF_THE_SYSTEM.has(path) && !OF_THE_KERNEL.some((prefix) => path.startsWith(prefix))) return path;
    throw new RuntimeError(
      'invalid',
      `mount ${container_path}: ${path} cannot be given the SELinux label of a pod, the system needs its own there: mount a directory below it, or without selinux_relabel`,
    );
  });
}
