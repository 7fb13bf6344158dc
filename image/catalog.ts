import type { Image } from './record.ts';

/** The images in memory, by id and by name. */
export type Catalog = {
  list(): readonly Image[];
  byId(id: string): Image | undefined;
  /** By normalised `repository:tag` or `repository@digest`. */
  byName(name: string): Image | undefined;
  /** The only image whose digest's hex begins so. */
  byPrefix(hex: string): Image | undefined;
  /** Adds the image or gives it the names besides those it has; a name leaves the image that had it. Returns its record. */
  put(image: Image, names: readonly string[]): Image;
  remove(id: string): void;
};

/** A catalog without images. */
export function createCatalog(): Catalog {
  const images = new Map<string, Image>();
  const owners = new Map<string, string>();
  let listed: readonly Image[] | undefined;

  const set = (image: Image): void => {
    images.set(image.id, image);
    listed = undefined;
  };
  const take = (name: string, owner: string): void => {
    const before = images.get(owners.get(name) ?? '');
    if (before !== undefined && before.id !== owner) set(withoutName(before, name));
    owners.set(name, owner);
  };
  return {
    list: () => (listed ??= [...images.values()]),
    byId: (id) => images.get(id),
    byName: (name) => images.get(owners.get(name) ?? ''),
    byPrefix(hex) {
      const found = [...images.values()].filter((image) => image.id.startsWith(`sha256:${hex}`));
      return found.length === 1 ? found[0] : undefined;
    },
    put(image, names) {
      for (const name of names) take(name, image.id);
      const named = withNames(images.get(image.id) ?? image, names);
      set(named);
      return named;
    },
    remove(id) {
      const image = images.get(id);
      for (const name of [...(image?.tags ?? []), ...(image?.digests ?? [])]) owners.delete(name);
      images.delete(id);
      listed = undefined;
    },
  };
}

function withNames(image: Image, names: readonly string[]): Image {
  const tags = names.filter((name) => !name.includes('@'));
  const digests = names.filter((name) => name.includes('@'));
  return { ...image, tags: union(image.tags, tags), digests: union(image.digests, digests) };
}

function withoutName(image: Image, name: string): Image {
  const others = (names: readonly string[]): string[] => names.filter((other) => other !== name);
  return { ...image, tags: others(image.tags), digests: others(image.digests) };
}

function union(some: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...some, ...more])].sort();
}
