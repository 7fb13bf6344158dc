import { addUsage, type LayerUsage } from './layers/layers.ts';
import type { Image } from './records/record.ts';

/** What an image's layers take on the disk, in all and without those that other images have too. */
export type ImageSizes = { all: LayerUsage; unique: LayerUsage };

/** Looks at which layers `images` share; the result tells the sizes of each of them. */
export function sizesOf(images: readonly Image[], usageOf: (diffId: string) => LayerUsage): (image: Image) => ImageSizes {
  const owners = new Map<string, number>();
  for (const image of images) for (const diffId of new Set(image.layers)) owners.set(diffId, (owners.get(diffId) ?? 0) + 1);
  return ({ layers }) => {
    const own = [...new Set(layers)];
    const sum = (diffIds: readonly string[]): LayerUsage => diffIds.map(usageOf).reduce(addUsage, { usedBytes: 0n, inodes: 0n });
    return { all: sum(own), unique: sum(own.filter((diffId) => owners.get(diffId) === 1)) };
  };
}
