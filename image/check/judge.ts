import { join } from 'node:path';
import type { Problem, ProblemKind } from '../../api/problem.ts';
import { unfinishedSuffix } from '../../host/durable-file.ts';
import { hexOf, storeFolders } from '../layers/places.ts';
import type { Image } from '../records/record.ts';
import { fileNameOf, type Stored } from '../records/record-file.ts';
import type { LayerSeen, StoreSeen } from './look.ts';

/** What is known of a store besides what lies in its folders. */
export type StoreKnown = {
  /** Images that a daemon has in memory, by id; none where no daemon runs. */
  inMemory: readonly string[];
  /** Who uses the image, in words. */
  holders: (imageId: string) => readonly string[];
  /** True for a layer that lies in an additional store, or may. */
  isElsewhere: (diffId: string) => boolean;
  /** True for names in `layers/` and `tmp/` that belong to work in flight. */
  inFlight: (name: string) => boolean;
};

/** What is wrong with a store. */
export function judgeStore(seen: StoreSeen, known: StoreKnown): Problem[] {
  const { root, records } = seen;
  return [
    ...unreadableRecords(seen, known),
    ...besideRecords(seen),
    ...missingRecords(seen, known),
    ...records.stored.flatMap((stored) => wrongLayers(stored, seen, known)),
    ...orphanLayers(seen, known),
    ...orphanSums(seen),
    ...seen.temporary
      .filter((name) => !known.inFlight(name))
      .map((name): Problem => ({
        kind: 'leftover', id: name, path: join(root, 'tmp', name), what: 'was left by work that has ended', repair: 'remove it',
      })),
  ];
}

function unreadableRecords({ records }: StoreSeen, { inMemory }: StoreKnown): Problem[] {
  const known = new Map(inMemory.map((id) => [fileNameOf(id), id]));
  return records.unreadable.map(({ path, error }): Problem => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const id = known.get(name);
    return {
      kind: 'image-record', id: id ?? `sha256:${name.replace(/\.json$/, '')}`, path, what: `the record of an image cannot be read: ${error.message}`,
      repair: id === undefined ? 'remove it: the next pull brings the image anew' : 'write it anew, as the daemon knows it',
    };
  });
}

function besideRecords({ root, besideRecords: names }: StoreSeen): Problem[] {
  return names.map((name): Problem => {
    const path = join(root, 'images', name);
    if (name.endsWith(unfinishedSuffix)) return { kind: 'leftover', id: name, path, what: 'is a record that was not finished', repair: 'remove it' };
    if (!name.endsWith('.broken')) return { kind: 'leftover', id: name, path, what: 'is nothing of a store', repair: '' };
    const id = `sha256:${name.replace(/\.json\.broken$/, '')}`;
    return { kind: 'image-record', id, path, what: 'the record of an image could not be read and was put aside by a start', repair: 'remove it: the next pull brings the image anew' };
  });
}

/** Images of which the daemon alone knows: the next start would not. */
function missingRecords({ root, records }: StoreSeen, { inMemory }: StoreKnown): Problem[] {
  const unreadable = new Set(records.unreadable.map(({ path }) => path));
  const there = new Set(records.stored.map(({ image }) => image.id));
  return inMemory
    .map((id) => ({ id, path: join(root, 'images', fileNameOf(id)) }))
    .filter(({ id, path }) => !there.has(id) && !unreadable.has(path))
    .map((image): Problem => ({ kind: 'image-record', ...image, what: 'the record of an image is gone', repair: 'write it anew, as the daemon knows it' }));
}

function wrongLayers({ image, usages }: Stored, seen: StoreSeen, known: StoreKnown): Problem[] {
  const byName = new Map(seen.layers.map((layer) => [layer.name, layer]));
  return [...new Set(image.layers)].flatMap((diffId): Problem[] => {
    const fault = faultOf(byName.get(hexOf(diffId)), usages.get(diffId)?.inodes ?? 0n, known.isElsewhere(diffId));
    return fault === '' ? [] : [layerProblem({ kind: 'image-layer', image, diffId, fault }, seen, known)];
  });
}

/** A layer that is not as `image` needs it, and what can be done about that. */
export function layerProblem(
  { kind, image, diffId, fault }: { kind: ProblemKind; image: Image; diffId: string; fault: string },
  { root, records }: StoreSeen,
  { holders }: StoreKnown,
): Problem {
  const path = join(root, 'layers', hexOf(diffId));
  const problem = { kind, id: image.id, path, what: `layer ${diffId} ${fault}` };
  if (fault === missing && holders(image.id).length > 0) return { ...problem, repair: 'have the next pull of the image bring it' };
  // What is there cannot be taken from those that stand on it, and as long as it is there no pull brings another.
  const others = fault === missing ? [image] : records.stored.map((stored) => stored.image).filter(({ layers }) => layers.includes(diffId));
  const users = [...new Set(others.flatMap(({ id }) => holders(id)))];
  if (users.length === 0) return { ...problem, repair: 'drop the image: the next pull brings it whole' };
  return { ...problem, what: `${problem.what}; it stays while it is used by ${users.join(', ')}`, repair: '' };
}

const missing = 'is not there';

/** What is wrong with a layer of which the record counts so many inodes; empty for nothing. */
function faultOf(layer: LayerSeen | undefined, inodes: bigint, isElsewhere: boolean): string {
  if (layer === undefined) return isElsewhere ? '' : missing;
  if (!layer.isDirectory) return 'is no directory';
  return layer.isEmpty && inodes > 1n ? `is empty, ${inodes} inodes were unpacked` : '';
}

function orphanSums({ root, records, layers, sums }: StoreSeen): Problem[] {
  const there = new Set([...layers.map(({ name }) => name), ...records.stored.flatMap(({ image }) => image.layers.map(hexOf))]);
  return sums
    .filter((name) => !there.has(name))
    .map((name): Problem => ({ kind: 'leftover', id: name, path: join(storeFolders(root).sums, name), what: 'is kept of a layer that is not there', repair: 'remove it' }));
}

function orphanLayers({ root, records, layers }: StoreSeen, { inFlight }: StoreKnown): Problem[] {
  const wanted = new Set(records.stored.flatMap(({ image }) => image.layers.map(hexOf)));
  return layers
    .filter(({ name }) => !wanted.has(name) && !inFlight(name))
    .map(({ name }): Problem => ({
      kind: 'orphan-layer', id: `sha256:${name}`, path: join(root, 'layers', name), what: 'no image has this layer', repair: 'remove it',
    }));
}
