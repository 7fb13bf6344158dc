import { posix } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import { parentsFirst } from '../spec/mounts.ts';
import type { OciMount, OciSpec } from '../spec/oci.ts';

/** What becomes of the directories that an image declares as volumes (OCI image-spec, config.md, Volumes). */
export type VolumePolicy = 'mkdir' | 'bind' | 'ignore';

/** More than any image has a use for. */
const VOLUMES_MAX = 128;

/** Below these the kernel's file systems are mounted: an image cannot have volumes there. */
const kernels = ['/proc', '/sys', '/dev'];

/**
 * The directories to make for the volumes that an image declares: each once, without those where the container has a
 * mount already. Throws `invalid` for more than there may be.
 */
export function declaredVolumes(volumes: readonly string[], mounts: readonly OciMount[]): string[] {
  const taken = [...kernels, ...mounts.map(({ destination }) => destination)];
  const paths = [...new Set(volumes.map((each) => posix.join('/', each).replace(/(.)\/$/, '$1')))];
  const wanted = paths.filter((path) => path !== '/' && !taken.some((outer) => path === outer || path.startsWith(`${outer}/`)));
  if (wanted.length > VOLUMES_MAX) {
    throw new RuntimeError('invalid', `the image declares ${wanted.length} volumes, more than ${VOLUMES_MAX}: set --image-volumes ignore to run it without`);
  }
  return wanted.toSorted();
}

/**
 * The configuration with each volume's directory (`sources`, in the rootfs) mounted over itself, so that it can be
 * written also where the root is read-only. Its content is the image's; what is written goes with the container.
 */
export function withVolumes(spec: OciSpec, volumes: readonly string[], sources: readonly string[]): OciSpec {
  const mounts = volumes.map((destination, index): OciMount => {
    const options = ['rbind', 'rprivate', 'rw', 'nodev'];
    return { destination, type: 'bind', source: sources[index] ?? '', options };
  });
  return { ...spec, mounts: parentsFirst([...mounts, ...spec.mounts]) };
}
