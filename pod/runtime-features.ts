/** What an OCI runtime says that it can do (runtime-spec, features.md). */
export type RuntimeFeatures = {
  /** Options that it knows for the mounts of a container. */
  mountOptions: readonly string[];
  /** It can show the ids of a mount as a user namespace maps them. */
  idMappedMounts: boolean;
};

/** Of a runtime that does not tell. */
export const noFeatures: RuntimeFeatures = { mountOptions: [], idMappedMounts: false };

/** Reads what the verb `features` prints; text that is not understood counts as no features. */
export function readFeatures(text: string): RuntimeFeatures {
  try {
    const { mountOptions, linux } = JSON.parse(text) as Printed;
    return {
      mountOptions: Array.isArray(mountOptions) ? mountOptions.filter((each) => typeof each === 'string') : [],
      idMappedMounts: linux?.mountExtensions?.idmap?.enabled === true,
    };
  } catch {
    return noFeatures;
  }
}

type Printed = { mountOptions?: unknown; linux?: { mountExtensions?: { idmap?: { enabled?: unknown } } } };

/** Whether it makes a mount read-only with all that is mounted below it (runtime-spec 1.1, option `rro`). */
export function mountsRecursiveReadOnly({ mountOptions }: RuntimeFeatures): boolean {
  return mountOptions.includes('rro');
}

/**
 * What stands in the way of pods with user namespaces: mapped ids of images on this host (`idmapObstacle`), or mapped
 * ids of volumes by the runtime (runtime-spec 1.1). Empty when nothing does.
 */
export function userNamespaceObstacle({ idMappedMounts }: RuntimeFeatures, idmapObstacle: string): string {
  if (idmapObstacle !== '') return idmapObstacle;
  return idMappedMounts ? '' : 'its OCI runtime does not map the ids of mounts (runc does from 1.2)';
}
