import { RuntimeError } from '../api/errors.ts';

/** Throws `newer-format` when the file `path` has a newer schema than the `known` one; nobody may touch it then. */
export function refuseNewer({ path, version, known }: { path: string; version: number; known: number }): void {
  if (version <= known) return;
  throw new RuntimeError(
    'newer-format',
    `${path} has schema version ${version}, this release knows ${known}: start the release that wrote it`,
  );
}
