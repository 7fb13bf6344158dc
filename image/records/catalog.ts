import type { Image } from './record.ts';

/** A normalised `repository:tag` or `repository@digest`; the image is found by one that is not listed, too. */
export type Name = { name: string; listed: boolean };

/** The images in memory, by id and by name. */
export type Catalog = {
  list(): readonly Image[];
  byId(id: string): Image | undefined;
  byName(name: string): Image | undefined;
  /** The only image whose digest's hex begins so. */
  byPrefix(hex: string): Image | undefined;
  /** All names of the image. */
  namesOf(id: string): Name[];
  /** Adds the image, or names to it, and returns its record; a name leaves the image that had it. */
  put(image: Image, names: readonly Name[]): Image;
  remove(id: string): void;
};

/** A catalog without images. */
export function createCatalog(): Catalog {
  const images = new Map<string, Image>();
  const owners = new Map<string, string>();
  let listing: readonly Image[] | undefined;

  const set = (image: Image): void => {
    images.set(image.id, image);
    listing = undefined;
  };
  const take = (name: string, owner: string): void => {
    const before = images.get(owners.get(name) ?? '');
    if (before !== undefined && before.id !== owner) set(withoutName(before, name));
    owners.set(name, owner);
  };
  return {
    list: () => (listing ??= [...images.values()]),
    byId: (id) => images.get(id),
    byName: (name) => images.get(owners.get(name) ?? ''),
    byPrefix(hex) {
      const found = [...images.values()].filter((image) => image.id.startsWith(`sha256:${hex}`));
      return found.length === 1 ? found[0] : undefined;
    },
    namesOf(id) {
      const image = images.get(id);
      const listed = new Set([...(image?.tags ?? []), ...(image?.digests ?? [])]);
      const names = [...owners].filter(([, owner]) => owner === id);
      return names.map(([name]) => ({ name, listed: listed.has(name) }));
    },
    put(image, names) {
      for (const { name } of names) take(name, image.id);
      const shown = names.filter(({ listed }) => listed).map(({ name }) => name);
      const named = withNames(images.get(image.id) ?? image, shown);
      set(named);
      return named;
    },
    remove(id) {
      for (const [name, owner] of owners) if (owner === id) owners.delete(name);
      images.delete(id);
      listing = undefined;
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
