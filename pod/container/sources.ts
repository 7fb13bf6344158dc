import { mkdir, realpath } from 'node:fs/promises';
import type { ContainerConfig, Mount } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/**
 * The configuration with the host path of every mount resolved through symlinks; a directory that is missing is made,
 * as CRI-O does. Throws `invalid` naming the mount.
 */
export async function withResolvedMounts(config: ContainerConfig): Promise<ContainerConfig> {
  return { ...config, mounts: await Promise.all(config.mounts.map(resolved)) };
}

async function resolved(mount: Mount): Promise<Mount> {
  if (mount.image?.image) return mount;
  if (!mount.host_path.startsWith('/')) {
    throw new RuntimeError('invalid', `mount ${mount.container_path}: host path "${mount.host_path}" is not absolute`);
  }
  try {
    return { ...mount, host_path: await realpath(mount.host_path).catch((error) => made(mount.host_path, error)) };
  } catch (error) {
    throw new RuntimeError('invalid', `mount ${mount.container_path}: host path ${mount.host_path} cannot be used: ${String(error)}`, error);
  }
}

async function made(path: string, error: NodeJS.ErrnoException): Promise<string> {
  if (error.code !== 'ENOENT') throw error;
  await mkdir(path, { recursive: true, mode: 0o755 });
  return realpath(path);
}
