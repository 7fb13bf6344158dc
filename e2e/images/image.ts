import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { withParents } from './debian.ts';
import { tarOf, type Entry } from './tar.ts';

export type Layer = {
  readonly entries: readonly Entry[];
  readonly compression?: 'gzip' | 'zstd' | 'none';
  /** Leaves out directories that no entry names. */
  readonly parentless?: true;
};

/** An image as the catalogue describes it; `names` are `repository:tag`. */
export type Image = {
  readonly names: readonly string[];
  readonly format: 'docker' | 'oci';
  readonly layers: readonly Layer[];
  /** The image configuration's `config` object (Env, Cmd, User …). */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Which platforms the list offers; the decoy comes first. Default: one decoy, then this machine's. */
  readonly architectures?: readonly string[];
  /** No list at all: the names point at the manifest of the only architecture. */
  readonly single?: boolean;
  /** An OCI artifact instead: its files by title. */
  readonly artifact?: { readonly type: string; readonly files: Readonly<Record<string, string>> };
  /** DiffIDs to claim instead of the true ones. */
  readonly claimedDiffIds?: readonly string[];
};

export type Blob = { readonly digest: string; readonly bytes: Buffer };
export type Manifest = Blob & { readonly mediaType: string };
/** What a registry needs, in the order of pushing; `top` is what the names point at. */
export type Assembled = {
  readonly blobs: readonly Blob[];
  readonly manifests: readonly Manifest[];
  readonly top: Manifest;
};

const mediaTypes = {
  docker: {
    list: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: {
      gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      zstd: '',
      none: 'application/vnd.docker.image.rootfs.diff.tar',
    },
  },
  oci: {
    list: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: {
      gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
      zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
      none: 'application/vnd.oci.image.layer.v1.tar',
    },
  },
} as const;

/** This machine's architecture in the words of OCI. */
export const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
const decoy = 's390x';

/** The blobs and manifests of an image: every architecture but this machine's holds one file `/decoy` only. */
export function assemble(image: Image): Assembled {
  if (image.artifact !== undefined) return artifactOf(image.artifact);
  const offered = image.architectures ?? [decoy, architecture];
  const platforms = offered.map((name) => onePlatform(image, name));
  const manifests = platforms.map((platform) => platform.manifest);
  const blobs = platforms.flatMap((platform) => platform.blobs);
  const [first] = manifests;
  if (first === undefined) throw new Error(`image ${image.names[0]} offers no architecture`);
  if (image.single === true) return { blobs, manifests: [], top: first };
  const list = {
    schemaVersion: 2,
    mediaType: mediaTypes[image.format].list,
    manifests: manifests.map((manifest, i) => ({
      ...descriptor(manifest, manifest.mediaType),
      platform: { architecture: offered[i], os: 'linux' },
    })),
  };
  return { blobs, manifests, top: manifestOf(list) };
}

function artifactOf({ type, files }: NonNullable<Image['artifact']>): Assembled {
  const empty = blob({});
  const parts = Object.entries(files).map(([title, content]) => {
    const bytes = Buffer.from(content);
    const file = { bytes, digest: digestOf(bytes) };
    return { file, descriptor: { ...descriptor(file, 'application/octet-stream'), annotations: { 'org.opencontainers.image.title': title } } };
  });
  const top = manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.oci.manifest,
    artifactType: type,
    config: descriptor(empty, 'application/vnd.oci.empty.v1+json'),
    layers: parts.map((part) => part.descriptor),
  });
  return { blobs: [empty, ...parts.map(({ file }) => file)], manifests: [], top };
}

function onePlatform(image: Image, name: string): { manifest: Manifest; blobs: Blob[] } {
  const types = mediaTypes[image.format];
  const real = name === architecture;
  const layers = real ? image.layers : [{ entries: [{ path: 'decoy', type: 'file', content: name } as const] }];
  const parts = layers.map(packed);
  const diffIds = (real ? image.claimedDiffIds : undefined) ?? parts.map((layer) => layer.diffId);
  const config = blob({
    created: '2024-01-01T00:00:00Z',
    architecture: name,
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], ...image.config },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: parts.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'berth e2e' })),
  });
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(config, types.config),
    layers: parts.map((layer) => descriptor(layer.blob, types.layer[layer.compression])),
  });
  return { manifest, blobs: [config, ...parts.map((layer) => layer.blob)] };
}

type Packed = { readonly blob: Blob; readonly diffId: string; readonly compression: 'gzip' | 'zstd' | 'none' };
const packedOnce = new WeakMap<Layer, Packed>();

/** Layers that images share are compressed once. */
function packed(layer: Layer): Packed {
  const found = packedOnce.get(layer) ?? pack(layer);
  packedOnce.set(layer, found);
  return found;
}

function pack(layer: Layer): Packed {
  const tar = tarOf(layer.parentless === true ? layer.entries : withParents(layer.entries));
  const compression = layer.compression ?? 'gzip';
  const bytes =
    compression === 'gzip' ? gzipSync(tar, { level: 6 }) : compression === 'zstd' ? zstdCompressSync(tar) : tar;
  return { blob: { bytes, digest: digestOf(bytes) }, diffId: digestOf(tar), compression };
}

function manifestOf(value: { readonly mediaType: string } & Record<string, unknown>): Manifest {
  return { ...blob(value), mediaType: value.mediaType };
}

function blob(value: object): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, digest: digestOf(bytes) };
}

function descriptor(of: Blob, mediaType: string): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: of.digest, size: of.bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
