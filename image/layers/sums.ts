import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { orIfMissing } from '../../host/files.ts';
import type { UnpackedLayer } from './layers.ts';
import { hexOf, storeFolders, sumsBeside, sumsPath } from './places.ts';

/** Puts what was kept of the files of unpacked layers in its place; the write-out of their commit makes it durable. */
export async function placeSums(root: string, layers: readonly UnpackedLayer[]): Promise<void> {
  for (const { directory, diffId } of layers) await orIfMissing(rename(sumsBeside(directory), sumsPath(root, diffId)), undefined);
}

/** Removes what was kept of layers that are not there any more. */
export async function removeSums(root: string, diffIds: readonly string[]): Promise<void> {
  for (const diffId of diffIds) await rm(sumsPath(root, diffId), { force: true });
}

/** Makes the folder, or removes from it all but what is kept of the layers `present`. */
export async function sweepSums(root: string, present: readonly string[]): Promise<void> {
  const { sums } = storeFolders(root);
  await mkdir(sums, { recursive: true, mode: 0o700 });
  const kept = new Set(present.map(hexOf));
  for (const name of await readdir(sums)) if (!kept.has(name)) await rm(join(sums, name), { force: true });
}
