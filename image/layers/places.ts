import { join } from 'node:path';

/** Where everything of a store below `root` lies. */
export function storeFolders(root: string): { images: string; layers: string; sums: string; temporary: string } {
  return { images: join(root, 'images'), layers: join(root, 'layers'), sums: join(root, 'sums'), temporary: join(root, 'tmp') };
}

/** The folder of a layer. */
export function layerPath(root: string, diffId: string): string {
  return join(storeFolders(root).layers, hexOf(diffId));
}

/** The file with sums of what the layer's files hold; there is none for layers that an earlier release unpacked. */
export function sumsPath(root: string, diffId: string): string {
  return join(storeFolders(root).sums, hexOf(diffId));
}

/** The same while the layer is being unpacked to `directory`. */
export function sumsBeside(directory: string): string {
  return `${directory}.sums`;
}

/** Name of the folder of a layer. */
export function hexOf(diffId: string): string {
  return diffId.slice('sha256:'.length);
}
