import type { BlobSource, LayerLimits } from '../../api/engine.ts';
import { isKind } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import type { BlobLocations, Content } from './content.ts';
import type { UnpackedLayer } from '../layers/layers.ts';
import type { LayerDescriptor } from '../manifest/manifest.ts';
import { sumsBeside } from '../layers/places.ts';
import { unpacked } from '../layers/unpack.ts';

/** One layer of a manifest with the digest of its content. */
export type LayerAsk = { descriptor: LayerDescriptor; diffId: string };

/** Whom to ask for a layer, who unpacks it, and where to. */
export type FetchOptions = { content: Content; engine: Engine; temporary: () => string; limits: LayerLimits; stall: Stall; signal: AbortSignal; onProgress: (bytes: bigint) => void };

/** A connection that brings less than so many bytes in so many milliseconds, 0 for any, is given up; the engine goes on by another one. */
export type Stall = { ms: number; bytes: number };

/** For a stall that is none: longer than any pull. */
const neverMs = 365 * 86_400_000;

/**
 * Has the engine fetch, verify and unpack one layer below a new `temporary()` path; begun anew if the engine dies, and at
 * the next registry where one served wrong bytes. What is `inconsistent` is so wherever it comes from.
 */
export async function fetchLayer(layer: LayerAsk, options: FetchOptions): Promise<UnpackedLayer> {
  const locations = options.content.locations(layer.descriptor.digest, options.signal);
  let source = await locations.first();
  let mayDie = true;
  for (;;) {
    try {
      return await fetchOnce(layer, source, locations, options);
    } catch (error) {
      const died = mayDie && isKind(error, 'unavailable');
      if (died) mayDie = false;
      const other = died ? await locations.first() : isKind(error, 'corrupt') ? await locations.other() : undefined;
      if (other === undefined) throw locations.refusal() ?? error;
      source = other;
    }
  }
}

async function fetchOnce(
  { descriptor, diffId }: LayerAsk,
  source: BlobSource,
  locations: BlobLocations,
  { engine, temporary, limits, stall, signal, onProgress }: FetchOptions,
): Promise<UnpackedLayer> {
  const { digest, sizeBytes, compression, file } = descriptor;
  const directory = temporary();
  const pace = { minBytesPerStall: stall.bytes, stallMs: stall.ms || neverMs };
  const ask = { ...source, ...pace, digest, sizeBytes, compression, diffId: file === '' ? diffId : digest, file, target: directory, limits, sums: sumsBeside(directory) };
  const how = { signal, onProgress, onSourceLost: locations.instead };
  return unpacked({ diffId, directory, engine }, () => engine.call('fetchLayer', ask, how));
}
