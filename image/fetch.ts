import type { Engine } from '../host/engine.ts';
import type { UnpackedLayer } from './layers.ts';
import type { LayerDescriptor } from './manifest.ts';
import type { RegistryClient } from './registry/client.ts';
import { retrying } from './registry/retry.ts';

/** One layer of a manifest with the digest of its content. */
export type LayerAsk = { descriptor: LayerDescriptor; diffId: string };

/** A connection that brings less than this in that time is given up. */
const minBytesPerStall = 16 << 10;
const stallMs = 30_000;

/** Has the engine fetch, verify and unpack one layer below a new `temporary()` path; tried again when the network fails. */
export function fetchLayer(
  { descriptor, diffId }: LayerAsk,
  from: RegistryClient,
  engine: Engine,
  temporary: () => string,
  signal: AbortSignal,
): Promise<UnpackedLayer> {
  return retrying(signal, async () => {
    const directory = temporary();
    const { digest, sizeBytes, compression } = descriptor;
    const source = await from.locate(digest, signal);
    const ask = { ...source, digest, sizeBytes, compression, diffId, target: directory, minBytesPerStall, stallMs };
    const reply = await engine.call('fetchLayer', ask, { signal });
    return { diffId, directory, usage: { usedBytes: BigInt(reply.usedBytes), inodes: BigInt(reply.inodes) } };
  });
}
