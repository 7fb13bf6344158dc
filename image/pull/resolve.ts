import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import { configOfArtifact } from '../manifest/artifact.ts';
import { parseConfig, type ParsedConfig } from '../manifest/config.ts';
import { type Content, openContent } from './content.ts';
import { maxConfigBytes, parseManifest, type Manifest, type Platform } from '../manifest/manifest.ts';
import { choosePlatform, requirePlatform } from '../manifest/platform.ts';
import type { ServedManifest } from '../registry/client.ts';
import type { Reference } from '../manifest/reference.ts';
import { allFailed, type Sources } from './sources.ts';

/** What an image's name may mean, and the registries that may have it. */
export type Candidate = { reference: Reference; sources: Sources };
/** The reference of an image that was found, what it points at, and the way to the rest. */
export type Found = { reference: Reference; top: ServedManifest; content: Content };
/** The image for this machine. */
export type Chosen = {
  manifest: Manifest;
  /** Digest of the manifest; differs from the found one when that is a list. */
  digest: string;
  rawConfig: string;
  parsed: ParsedConfig;
};

/** Asks one after the other until one has the image; the last failure decides the kind, its message tells all. */
export async function find(candidates: readonly Candidate[], signal: AbortSignal, log: Log): Promise<Found> {
  const failures: RuntimeError[] = [];
  for (const { reference, sources } of candidates) {
    for await (const { index, client } of sources.from(0)) {
      try {
        if (client instanceof RuntimeError) throw client;
        const top = await client.manifest(reference.digest || reference.tag, signal);
        return { reference, top, content: openContent(sources, index, log) };
      } catch (error) {
        signal.throwIfAborted();
        failures.push(asRuntimeError(error));
      }
    }
  }
  throw allFailed(failures);
}

/** What an image begins with, and the way to the rest. */
export type Choosing = { top: ServedManifest; content: Pick<Content, 'manifest' | 'blob'> };

/** Follows lists to the manifest for `platform` and reads its configuration; all bytes have their digests. */
export async function choose({ content, top }: Choosing, platform: Platform, signal: AbortSignal): Promise<Chosen> {
  const served = await manifestFor(content, top, platform, signal);
  const { manifest } = served;
  if (manifest.artifactType !== '') return { manifest, digest: served.digest, ...configOfArtifact(manifest) };
  const rawConfig = await content.blob(manifest.config, maxConfigBytes, signal);
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
  content: Pick<Content, 'manifest'>,
  top: ServedManifest,
  platform: Platform,
  signal: AbortSignal,
): Promise<{ manifest: Manifest; digest: string }> {
  let served = top;
  for (let depth = 0; depth <= maxDepth; depth++) {
    const read = parseManifest(served.json, served.contentType);
    if (read.kind === 'manifest') return { manifest: read, digest: served.digest };
    served = await content.manifest(choosePlatform(read, platform).digest, signal);
  }
  throw new RuntimeError('unsupported', `image indexes nested deeper than ${maxDepth} are not followed`);
}
