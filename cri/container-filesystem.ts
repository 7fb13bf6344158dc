import { statSync } from 'node:fs';
import type { PodContext } from '../pod/context.ts';
import { containerPaths } from '../pod/paths.ts';
import type { WritableLayers } from '../pod/stats/writable.ts';
import { type ContainerFilesystem, usageOf } from './image.ts';

/** The file system of writable layers, by the last counts of `layers`; told where it is not that of the images. */
export function containerFilesystem({ images, roots, store }: PodContext, layers: WritableLayers): ContainerFilesystem {
  const path = `${roots.root}/containers`;
  const split = statSync(path).dev !== statSync(images.usage().path).dev;
  return async () => {
    if (!split) return undefined;
    const uppers = [...store.containers.all()].map(({ id }) => [id, containerPaths(roots, id).upper] as const);
    const counts = [...(await layers.usage(new Map(uppers))).values()];
    const sum = (figures: readonly bigint[]): bigint => figures.reduce((total, one) => total + one, 0n);
    return usageOf({ path, usedBytes: sum(counts.map(({ bytes }) => bytes)), inodes: sum(counts.map(({ inodes }) => inodes)) });
  };
}
