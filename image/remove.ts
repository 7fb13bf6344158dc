import { RuntimeError } from '../api/errors.ts';
import type { Publish } from '../api/events.ts';
import { wallClockNs } from '../host/clock.ts';
import type { LayerUsage } from './layers/layers.ts';
import type { Image, Images, Pruned } from './records/record.ts';
import type { Records } from './records/records.ts';

/** What removing needs. */
export type RemoveOptions = {
  records: Records;
  find: Images['find'];
  holders: Images['holders'];
  /** Runs changes of images and layers one after the other. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Removes those of the layers that no image has and no pull claims; returns what they took. */
  dropUnused: (diffIds: readonly string[]) => Promise<LayerUsage>;
  publish: Publish;
};

/** How images go: the record first, then the layers that no other image has. */
export function removals(options: RemoveOptions): Pick<Images, 'remove' | 'prune'> {
  const { records, find, holders, inTurn, dropUnused } = options;
  const told = (image: string): void =>
    options.publish({ type: 'image.removed', atNs: wallClockNs(), image });
  return {
    async remove(reference) {
      const gone = await inTurn(async () => {
        const image = find(reference);
        if (image === undefined) return undefined;
        requireOwn(image, reference);
        requireUnused(image.id, reference, holders(image));
        await records.remove(image.id);
        return image;
      });
      if (gone === undefined) return;
      told(reference);
      await dropUnused(gone.layers);
    },
    async prune(wanted) {
      const pruned: Pruned[] = [];
      for (const { id } of records.catalog.list()) {
        const image = await inTurn(() => removeIf(id, (one) => holders(one).length === 0 && wanted(one), records));
        if (image === undefined) continue;
        told(image.tags[0] ?? image.id);
        pruned.push({ image, freed: await dropUnused(image.layers) });
      }
      return pruned;
    },
  };
}

/** Throws `wrong-state` for an image that lies in an additional store alone. */
function requireOwn({ id, additionalStore }: Image, reference: string): void {
  if (additionalStore === '') return;
  throw new RuntimeError('wrong-state', `image ${reference} (${id}) lies in the additional store ${additionalStore}, which is read-only: remove it by the daemon whose store that is`);
}

/** Throws `in-use` with the users' names when there are any. */
function requireUnused(imageId: string, reference: string, users: readonly string[]): void {
  if (users.length === 0) return;
  const named = users.slice(0, 3).join(', ') + (users.length > 3 ? ` and ${users.length - 3} more` : '');
  throw new RuntimeError('in-use', `image ${reference} (${imageId}) is used by ${named}: remove them first`);
}

async function removeIf(id: string, wanted: (image: Image) => boolean, records: Records): Promise<Image | undefined> {
  const image = records.catalog.byId(id);
  if (image === undefined || !wanted(image)) return undefined;
  await records.remove(id);
  return image;
}
