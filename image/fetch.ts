import { isKind } from '../api/errors.ts';
import type { LayerLimits } from '../api/engine.ts';
import type { Engine } from '../host/engine.ts';
import type { UnpackedLayer } from './layers.ts';
import type { LayerDescriptor } from './manifest.ts';
import type { RegistryClient } from './registry/client.ts';
import { retrying } from './registry/retry.ts';

/** One layer of a manifest with the digest of its content. */
export type LayerAsk = { descriptor: LayerDescriptor; diffId: string };

/** Whom to ask for a layer, who unpacks it, and where to. */
export type FetchOptions = { from: RegistryClient; engine: Engine; temporary: () => string; limits: LayerLimits; signal: AbortSignal };

/** A connection that brings less than this in that time is given up; the engine goes on from there by another one. */
const minBytesPerStall = 16 << 10;
const stallMs = 30_000;

/** Has the engine fetch, verify and unpack one layer below a new `temporary()` path; begun anew if the engine dies. */
export async function fetchLayer(layer: LayerAsk, options: FetchOptions): Promise<UnpackedLayer> {
  try {
    return await fetchOnce(layer, options);
  } catch (error) {
    if (!isKind(error, 'unavailable')) throw error;
    return fetchOnce(layer, options);
  }
}

async function fetchOnce({ descriptor, diffId }: LayerAsk, options: FetchOptions): Promise<UnpackedLayer> {
  const { from, engine, temporary, limits, signal } = options;
  const { digest, sizeBytes, compression } = descriptor;
  const source = await retrying(signal, () => from.locate(digest, signal));
  const target = temporary();
  const ask = { ...source, digest, sizeBytes, compression, diffId, target, minBytesPerStall, stallMs, limits };
  try {
    const { usedBytes, inodes, implied } = await engine.call('fetchLayer', ask, { signal });
    return { diffId, directory: target, usage: { usedBytes: BigInt(usedBytes), inodes: BigInt(inodes) }, implied };
  } catch (error) {
    // An engine that fails removes what it unpacked; one that died could not.
    if (isKind(error, 'unavailable')) await engine.call('removeTrees', { unmount: [], remove: [target] });
    throw error;
  }
}
