import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { whileDoing } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { tarEnd, tarHeader, tarPadding } from '../../host/tar.ts';
import { digestOf } from '../manifest/digest.ts';
import type { Descriptor } from '../manifest/manifest.ts';
import type { Image } from '../records/record.ts';
import { parseObject } from '../manifest/shape.ts';

/** What saving needs. */
export type SaveOptions = { engine: Engine; temporary: () => string; pathOf: (image: Image, diffId: string) => string };

/** An image to save under these of its tags. */
export type SaveAsk = { image: Image; tags: readonly string[] };

const types = {
  layer: 'application/vnd.oci.image.layer.v1.tar',
  config: 'application/vnd.oci.image.config.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
};

/**
 * The bytes of a tar that is an OCI layout (image-layout.md) and a Docker archive at once. Layers are made tars again,
 * plain ones: see docs/decisions. One layer at a time takes room below the temporary folder.
 */
export async function* saveImages(asks: readonly SaveAsk[], options: SaveOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  const written = new Set<string>();
  const saved: { ask: SaveAsk; manifest: Descriptor; config: Descriptor; layers: readonly Descriptor[] }[] = [];
  const packed = new Map<string, Descriptor>();
  for (const ask of asks) {
    for (const diffId of new Set(ask.image.layers)) {
      if (!packed.has(diffId)) packed.set(diffId, yield* layerBlob(options.pathOf(ask.image, diffId), written, options, signal));
    }
    const layers = ask.image.layers.map((diffId) => packed.get(diffId) as Descriptor);
    const config = yield* textBlob(configOf(ask.image, layers), types.config, written);
    const manifest = yield* textBlob(manifestOf(ask.image, config, layers), types.manifest, written);
    saved.push({ ask, manifest, config, layers });
  }
  yield* file('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const entries = saved.flatMap(({ ask, manifest }) => entriesOf(ask, manifest));
  yield* file('index.json', JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: entries }));
  const docker = saved.map(({ ask, config, layers }) => ({
    Config: pathOfBlob(config.digest), RepoTags: ask.tags, Layers: layers.map(({ digest }) => pathOfBlob(digest)),
  }));
  yield* file('manifest.json', JSON.stringify(docker));
  yield tarEnd;
}

async function* layerBlob(
  directory: string,
  written: Set<string>,
  { engine, temporary }: SaveOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer, Descriptor> {
  const target = temporary();
  try {
    const packed = await engine.call('packLayer', { directory, target }, { signal });
    const { digest } = packed;
    const sizeBytes = Number(packed.sizeBytes);
    if (!written.has(digest)) {
      written.add(digest);
      yield tarHeader(pathOfBlob(digest), sizeBytes);
      for await (const chunk of createReadStream(target, { highWaterMark: 1 << 20, signal })) yield chunk as Buffer;
      yield Buffer.alloc(tarPadding(sizeBytes));
    }
    return { mediaType: types.layer, digest, sizeBytes };
  } catch (error) {
    signal.throwIfAborted();
    throw whileDoing(`cannot pack layer ${directory}`, error);
  } finally {
    await rm(target, { force: true });
  }
}

/** The configuration as it came while the layers' digests are those it names, else with the new ones. */
function configOf({ rawConfig, layers: diffIds }: Image, layers: readonly Descriptor[]): string {
  if (layers.every(({ digest }, i) => digest === diffIds[i])) return rawConfig;
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  return JSON.stringify({ ...parseObject(rawConfig, 'image configuration'), rootfs });
}

function manifestOf({ annotations }: Image, config: Descriptor, layers: readonly Descriptor[]): string {
  const noted = Object.keys(annotations).length === 0 ? {} : { annotations };
  return JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, config: described(config), layers: layers.map(described), ...noted });
}

/** One entry for each tag; under the whole name, which podman and containerd take over. */
function entriesOf({ image, tags }: SaveAsk, manifest: Descriptor): object[] {
  const { os, architecture, variant } = image.config;
  const platform = { os, architecture, ...(variant !== '' && { variant }) };
  const entry = { ...described(manifest), platform };
  if (tags.length === 0) return [entry];
  return tags.map((tag) => ({ ...entry, annotations: { 'org.opencontainers.image.ref.name': tag, 'io.containerd.image.name': tag } }));
}

function* textBlob(text: string, mediaType: string, written: Set<string>): Generator<Buffer, Descriptor> {
  const digest = digestOf(text);
  if (!written.has(digest)) yield* file(pathOfBlob(digest), text);
  written.add(digest);
  return { mediaType, digest, sizeBytes: Buffer.byteLength(text) };
}

function* file(name: string, text: string): Generator<Buffer> {
  const bytes = Buffer.from(text);
  yield Buffer.concat([tarHeader(name, bytes.length), bytes, Buffer.alloc(tarPadding(bytes.length))]);
}

function described({ mediaType, digest, sizeBytes }: Descriptor): object {
  return { mediaType, digest, size: sizeBytes };
}

function pathOfBlob(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
