import { join } from 'node:path';
import type { Log } from '../../api/observe.ts';
import { makeDurably, removeDurably, writeDurably } from '../../host/durable-file.ts';
import { createCatalog, type Catalog, type Name } from './catalog.ts';
import { type LayerUsage, noUsage } from '../layers/layers.ts';
import type { Image } from './record.ts';
import { fileNameOf, writeStored } from './record-file.ts';
import { readFolder } from './record-folder.ts';

/** What a layer takes, by diffID. */
export type UsageOf = (diffId: string) => LayerUsage;

/** The records of images: read from memory, written durably first. Changes are made one after the other. */
export type Records = {
  catalog: Pick<Catalog, 'list' | 'byId' | 'byName' | 'byPrefix'>;
  /** What was known of layers when the records were opened. */
  usages: ReadonlyMap<string, LayerUsage>;
  /** Adds the image, or names to it; returns the record as it is now. */
  save(image: Image, names: readonly Name[], usageOf: UsageOf): Promise<Image>;
  /** Forgets the image and its names; an unknown one is fine. */
  remove(id: string): Promise<void>;
};

/** Opens the folder that holds one JSON file per image. Throws `newer-format` when a newer release wrote one of them. */
export async function openRecords(folder: string, log: Log): Promise<Records> {
  await makeDurably(folder);
  const stored = await readFolder(folder, log);
  const catalog = createCatalog();
  for (const { image, names } of stored) catalog.put(image, names);
  const usages = new Map(stored.flatMap((each) => [...each.usages]));

  let sequence = stored.at(-1)?.sequence ?? 0;
  const pathOf = (id: string): string => join(folder, fileNameOf(id));
  const write = (image: Image, names: readonly Name[], usageOf: UsageOf): Promise<void> => {
    const ofLayers = new Map(image.layers.map((diffId) => [diffId, usageOf(diffId)]));
    return writeDurably(pathOf(image.id), writeStored({ image, names, usages: ofLayers, sequence: ++sequence }));
  };
  /** Until the files of images that lost a name say so, the sequence of the files tells whose it is. */
  const writeLosers = async (losers: readonly Image[], usageOf: UsageOf): Promise<void> => {
    for (const image of losers) await write(image, catalog.namesOf(image.id), usageOf);
  };

  const interrupted = stored.filter(({ image, names }) => catalog.namesOf(image.id).length < names.length);
  await writeLosers(
    interrupted.map(({ image }) => image),
    (diffId) => usages.get(diffId) ?? noUsage,
  ).catch((error: unknown) => log.warn('records of images still have names they lost', { error: String(error) }));
  return {
    catalog,
    usages,
    async save(image, names, usageOf) {
      const owners = new Set(names.flatMap(({ name }) => catalog.byName(name) ?? []));
      await write(catalog.byId(image.id) ?? image, merged(catalog.namesOf(image.id), names), usageOf);
      const saved = catalog.put(image, names);
      await writeLosers(
        [...owners].filter(({ id }) => id !== image.id),
        usageOf,
      );
      return saved;
    },
    async remove(id) {
      await removeDurably(pathOf(id));
      catalog.remove(id);
    },
  };
}

/** A name listed once stays so. */
function merged(before: readonly Name[], added: readonly Name[]): Name[] {
  const names = new Map(before.map(({ name, listed }) => [name, listed]));
  for (const { name, listed } of added) names.set(name, listed || names.get(name) === true);
  return [...names].map(([name, listed]) => ({ name, listed }));
}
