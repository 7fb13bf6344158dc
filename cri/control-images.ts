import type { ImageEntry, LoadRequest, PrunedImage } from '../api/control.ts';
import type { Draft } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import { wallClockNs } from '../host/clock.ts';
import { imageFilter } from '../image/filter.ts';
import { historyOf } from '../image/manifest/history.ts';
import { isPinned } from '../image/pinned.ts';
import type { Image, Images } from '../image/records/record.ts';
import { sizesOf } from '../image/sizes.ts';
import type { ControlHandlers } from './server.ts';

/** The rpcs of Control on images; `pinned` are the patterns of those that are kept. */
export function imageControl(images: Images, pinned: readonly string[]): Required<Pick<ControlHandlers, 'Images' | 'History' | 'Prune' | 'Load' | 'Save'>> {
  const known = (reference: string): Image => {
    const image = images.find(reference);
    if (image === undefined) throw new RuntimeError('not-found', `image ${reference} is not here: pull it first`);
    return image;
  };
  return {
    Images: async ({ filters }) => {
      const sizes = sizesOf(images.list(), images.usageOf);
      const entry = (image: Image): Draft<ImageEntry> => {
        const { all, unique } = sizes(image);
        return {
          id: image.id, tags: image.tags, digests: image.digests, created: image.config.created, labels: image.config.labels,
          size_bytes: `${image.sizeBytes}`, used_bytes: `${all.usedBytes}`, unique_bytes: `${unique.usedBytes}`,
          pulled_at_ns: `${image.pulledAtNs}`, pinned: isPinned(image, pinned), used_by: images.holders(image),
        };
      };
      return { images: images.list().filter(imageFilter(filters, images.find)).map(entry) };
    },
    History: async ({ image }) => {
      const steps = historyOf(known(image));
      const usedBytes = (layer: string): bigint => (layer === '' ? 0n : images.usageOf(layer).usedBytes);
      return {
        steps: steps.map(({ created, createdBy, comment, layer }) => ({
          created, created_by: createdBy, comment, layer, used_bytes: `${usedBytes(layer)}`,
        })),
      };
    },
    Prune: async ({ filters, idle_ms, dry_run }) => {
      const passes = imageFilter(filters, images.find);
      const wanted = (image: Image): boolean =>
        passes(image) && !isPinned(image, pinned) && images.toldAtNs(image) + BigInt(idle_ms) * 1_000_000n <= wallClockNs();
      if (dry_run) {
        const going = images.list().filter((image) => wanted(image) && images.holders(image).length === 0);
        return { images: going.map(prunedImage) };
      }
      const gone = await images.prune(wanted);
      return { images: gone.map(({ image }) => prunedImage(image)), freed_bytes: `${gone.reduce((sum, { freed }) => sum + freed.usedBytes, 0n)}` };
    },
    Load: async (requests, { signal }) => {
      const pieces = requests[Symbol.asyncIterator]();
      const first = await pieces.next();
      const { name = '', data = Buffer.alloc(0) } = first.done === true ? {} : first.value;
      const loaded = await images.load({ archive: dataOf(data, pieces), name, signal });
      return { images: loaded.map(({ id, tags }) => ({ id, tags })) };
    },
    Save: async function* ({ images: references }, { signal }) {
      for await (const data of images.save(references, signal)) yield { data };
    },
  };
}

async function* dataOf(first: Buffer, rest: AsyncIterator<LoadRequest>): AsyncGenerator<Buffer> {
  yield first;
  for (let piece = await rest.next(); piece.done !== true; piece = await rest.next()) yield piece.value.data;
}

function prunedImage({ id, tags, digests }: Image): PrunedImage {
  return { id, names: tags.length > 0 ? tags : digests };
}
