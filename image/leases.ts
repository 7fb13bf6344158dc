import { wallClockNs } from '../host/clock.ts';
import { createClaims } from './layers/claims.ts';
import type { Image } from './records/record.ts';

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
  const claims = createClaims();
  const touches = new Map<string, bigint>();
  return {
    take: (imageId) => claims.take([imageId]),
    holders: (imageId) => (claims.has(imageId) ? ['a container that is being created, or a save'] : []),
    touch: (imageId) => void touches.set(imageId, wallClockNs()),
    touchedAtNs: ({ id, pulledAtNs }) => touches.get(id) ?? pulledAtNs,
  };
}
