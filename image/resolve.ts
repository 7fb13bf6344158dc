import { asRuntimeError, RuntimeError } from '../api/errors.ts';
import { parseConfig, type ParsedConfig } from './config.ts';
import { maxConfigBytes, parseManifest, type Manifest, type Platform } from './manifest.ts';
import { choosePlatform, requirePlatform } from './platform.ts';
import type { RegistryClient, ServedManifest } from './registry/client.ts';
import type { Reference } from './reference.ts';

/** Where an image may be. */
export type Source = { reference: Reference; client: RegistryClient };
/** Where an image was found, and what its reference points at there. */
export type Found = Source & { top: ServedManifest };
/** The image for this machine. */
export type Chosen = {
  manifest: Manifest;
  /** Digest of the manifest; differs from the found one when that is a list. */
  digest: string;
  rawConfig: string;
  parsed: ParsedConfig;
};

/** Asks one after the other until one has the image; the last failure decides the kind, its message tells all. */
export async function find(sources: readonly Source[], signal: AbortSignal): Promise<Found> {
  const failures: RuntimeError[] = [];
  for (const { reference, client } of sources) {
    try {
      return { reference, client, top: await client.manifest(reference.digest || reference.tag, signal) };
    } catch (error) {
      signal.throwIfAborted();
      failures.push(asRuntimeError(error));
    }
  }
  const last = failures.at(-1);
  if (last === undefined) throw new RuntimeError('internal', 'there is no registry to ask');
  if (failures.length === 1) throw last;
  throw new RuntimeError(last.kind, failures.map(({ message }) => message).join('; '), last);
}

/** Follows lists to the manifest for `platform` and reads its configuration; all bytes have their digests. */
export async function choose({ client, top }: Found, platform: Platform, signal: AbortSignal): Promise<Chosen> {
  const served = await manifestFor(client, top, platform, signal);
  const { manifest } = served;
  const rawConfig = await client.blob(manifest.config, maxConfigBytes, signal);
  const parsed = parseConfig(rawConfig);
  if (served.digest === top.digest) requirePlatform(parsed.config, platform);
  if (parsed.diffIds.length !== manifest.layers.length) {
    throw new RuntimeError(
      'corrupt',
      `the manifest has ${manifest.layers.length} layers, its configuration ${parsed.diffIds.length} diff_ids`,
    );
  }
  return { manifest, digest: served.digest, rawConfig, parsed };
}

/** An index may hold indexes, which hold none. */
const maxDepth = 2;

async function manifestFor(
  client: RegistryClient,
  top: ServedManifest,
  platform: Platform,
  signal: AbortSignal,
): Promise<{ manifest: Manifest; digest: string }> {
  let served = top;
  for (let depth = 0; depth <= maxDepth; depth++) {
    const read = parseManifest(served.json, served.contentType);
    if (read.kind === 'manifest') return { manifest: read, digest: served.digest };
    served = await client.manifest(choosePlatform(read, platform).digest, signal);
  }
  throw new RuntimeError('unsupported', `image indexes nested deeper than ${maxDepth} are not followed`);
}
