import { normalize } from 'node:path';
import type { ContainerConfig, Mount } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';

/**
 * The configuration with the host path of every mount resolved through symlinks; a directory that is missing is made,
 * as CRI-O does, unless it is one of `rejected`. The engine looks: a volume that hangs must not hold up this process.
 * Throws `invalid` naming the mount.
 */
export async function withResolvedMounts(engine: Engine, config: ContainerConfig, rejected: readonly string[]): Promise<ContainerConfig> {
  const ofHost = config.mounts.filter(({ image }) => !image?.image);
  if (ofHost.length === 0) return config;
  const sources = ofHost.map((mount) => ({ path: absolute(mount), make: !rejected.includes(normalize(mount.host_path)) }));
  const { found } = await engine.call('findSources', { sources });
  const mounts = config.mounts.map((mount) => {
    const source = found[ofHost.indexOf(mount)];
    if (!source) return mount;
    if (source.error === '') return { ...mount, host_path: source.path };
    throw new RuntimeError('invalid', `mount ${mount.container_path}: host path ${mount.host_path} cannot be used: ${source.error}`);
  });
  return { ...config, mounts };
}

function absolute({ container_path, host_path }: Mount): string {
  if (host_path.includes('\0')) throw new RuntimeError('invalid', `mount ${container_path}: host path ${JSON.stringify(host_path)} holds a NUL byte`);
  if (host_path.startsWith('/')) return host_path;
  throw new RuntimeError('invalid', `mount ${container_path}: host path "${host_path}" is not absolute`);
}
