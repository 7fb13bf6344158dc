import type { Elsewhere } from '../additional/additional.ts';
import type { Catalog } from './catalog.ts';
import type { Layers } from '../layers/layers.ts';
import type { Image } from './record.ts';

/** The images that can be used. */
export type View = Pick<Catalog, 'list' | 'byId' | 'byName' | 'byPrefix'>;

/** What a view is made of. */
export type ViewOptions = { own: View; layers: Pick<Layers, 'has'>; elsewhere: () => Elsewhere };

/**
 * Our own images and those of additional stores as one catalog: an image and a name that are in both are ours. An image
 * of our own is left out while layers of it lie in an additional store that cannot be read.
 */
export function viewOf({ own, layers, elsewhere }: ViewOptions): View {
  let made: { ours: readonly Image[]; theirs: Elsewhere; list: readonly Image[]; byId: ReadonlyMap<string, Image> } | undefined;
  const now = (): NonNullable<typeof made> => {
    const [ours, theirs] = [own.list(), elsewhere()];
    if (made?.ours === ours && made.theirs === theirs) return made;
    const usable = ours.filter((image) => image.layers.every(layers.has));
    const ids = new Set(usable.map(({ id }) => id));
    const others = theirs.catalog.list().filter(({ id }) => !ids.has(id));
    const isFree = (name: string): boolean => !ids.has(own.byName(name)?.id ?? '');
    const list = [...usable, ...others.map((image) => withNames(image, isFree))];
    made = { ours, theirs, list, byId: new Map(list.map((image) => [image.id, image])) };
    return made;
  };
  const byId = (id: string): Image | undefined => now().byId.get(id);
  return {
    list: () => now().list,
    byId,
    byName: (name) => byId(own.byName(name)?.id ?? '') ?? byId(elsewhere().catalog.byName(name)?.id ?? ''),
    byPrefix(hex) {
      const found = now().list.filter(({ id }) => id.startsWith(`sha256:${hex}`));
      return found.length === 1 ? found[0] : undefined;
    },
  };
}

function withNames(image: Image, isFree: (name: string) => boolean): Image {
  return { ...image, tags: image.tags.filter(isFree), digests: image.digests.filter(isFree) };
}
