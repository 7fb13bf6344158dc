import type { Image } from './record.ts';

/** What keeps images although no container's record names them yet. */
export type Leases = {
  /** Keeps the image from being removed until the result is called; for a create in flight. */
  take(imageId: string): () => void;
  /** Who holds the image, in words. */
  holders(imageId: string): string[];
  /** Notes that somebody has just been told that the image is here, and so may use it soon. */
  touch(imageId: string): void;
  /** Wall clock of the last touch, or of the pull that brought it, nanoseconds since 1970. */
  touchedAtNs(image: Image): bigint;
};

/** No leases. */
export function createLeases(): Leases {
  const counts = new Map<string, number>();
  const touches = new Map<string, bigint>();
  return {
    take(imageId) {
      counts.set(imageId, (counts.get(imageId) ?? 0) + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const left = (counts.get(imageId) ?? 1) - 1;
        if (left > 0) counts.set(imageId, left);
        else counts.delete(imageId);
      };
    },
    holders: (imageId) => (counts.has(imageId) ? ['a container that is being created, or a save'] : []),
    touch: (imageId) => void touches.set(imageId, BigInt(Date.now()) * 1_000_000n),
    touchedAtNs: ({ id, pulledAtNs }) => touches.get(id) ?? pulledAtNs,
  };
}
