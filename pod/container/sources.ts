import { realpath } from 'node:fs/promises';
import { normalize } from 'node:path';
import type { ContainerConfig, Mount } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import { makeDirectories } from '../../host/files.ts';

/**
 * The configuration with the host path of every mount resolved through symlinks; a directory that is missing is made,
 * as CRI-O does, unless it is one of `rejected`. Throws `invalid` naming the mount.
 */
export async function withResolvedMounts(config: ContainerConfig, rejected: readonly string[]): Promise<ContainerConfig> {
  return { ...config, mounts: await Promise.all(config.mounts.map((mount) => resolved(mount, rejected))) };
}

async function resolved(mount: Mount, rejected: readonly string[]): Promise<Mount> {
  const { container_path, host_path, image } = mount;
  if (image?.image) return mount;
  if (!host_path.startsWith('/')) {
    throw new RuntimeError('invalid', `mount ${container_path}: host path "${host_path}" is not absolute`);
  }
  try {
    return { ...mount, host_path: await realpath(host_path).catch((error) => made(host_path, rejected, error)) };
  } catch (error) {
    throw new RuntimeError('invalid', `mount ${container_path}: host path ${host_path} cannot be used: ${String(error)}`, error);
  }
}

async function made(path: string, rejected: readonly string[], error: NodeJS.ErrnoException): Promise<string> {
  if (error.code !== 'ENOENT' || rejected.includes(normalize(path))) throw error;
  await makeDirectories(path, 0o755);
  return realpath(path);
}
