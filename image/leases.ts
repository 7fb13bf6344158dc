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

/** So many touches beyond those of images that are here are kept. */
const fewTouches = 64;

/** No leases. `isKnown` says whether an image is here: the touches of those that went are forgotten now and then. */
export function createLeases(isKnown: (imageId: string) => boolean): Leases {
  const claims = createClaims();
  const touches = new Map<string, bigint>();
  let forgetAt = fewTouches;
  const touch = (imageId: string): void => {
    touches.set(imageId, wallClockNs());
    if (touches.size < forgetAt) return;
    for (const id of [...touches.keys()].filter((each) => !isKnown(each))) touches.delete(id);
    forgetAt = 2 * touches.size + fewTouches;
  };
  return {
    take: (imageId) => claims.take([imageId]),
    holders: (imageId) => (claims.has(imageId) ? ['a container that is being created, or a save'] : []),
    touch,
    touchedAtNs: ({ id, pulledAtNs }) => touches.get(id) ?? pulledAtNs,
  };
}
