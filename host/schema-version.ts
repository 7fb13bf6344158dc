import { RuntimeError } from '../api/errors.ts';

/** A step of a format: what one version wrote, as the next one writes it. */
export type Step<T> = (older: T) => T;

/** What a release that knew `version` wrote, as this one writes it; step n leads from version n + 1 to n + 2. */
export function migrated<T>(written: T, version: number, steps: readonly Step<T>[]): T {
  return steps.slice(version - 1).reduce((older, step) => step(older), written);
}

/** Throws `newer-format` when the file `path` has a newer schema than the `known` one; nobody may touch it then. */
export function refuseNewer({ path, version, known }: { path: string; version: number; known: number }): void {
  if (version <= known) return;
  throw new RuntimeError(
    'newer-format',
    `${path} has schema version ${version}, this release knows ${known}: start the release that wrote it`,
  );
}
