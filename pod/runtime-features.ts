/** What an OCI runtime says that it can do (runtime-spec, features.md). */
export type RuntimeFeatures = {
  /** Options that it knows for the mounts of a container. */
  mountOptions: readonly string[];
};

/** Of a runtime that does not tell. */
export const noFeatures: RuntimeFeatures = { mountOptions: [] };

/** Reads what the verb `features` prints; text that is not understood counts as no features. */
export function readFeatures(text: string): RuntimeFeatures {
  try {
    const { mountOptions } = JSON.parse(text) as { mountOptions?: unknown };
    return { mountOptions: Array.isArray(mountOptions) ? mountOptions.filter((each) => typeof each === 'string') : [] };
  } catch {
    return noFeatures;
  }
}

/** Whether it makes a mount read-only with all that is mounted below it (runtime-spec 1.1, option `rro`). */
export function mountsRecursiveReadOnly({ mountOptions }: RuntimeFeatures): boolean {
  return mountOptions.includes('rro');
}
