import { RuntimeError } from '../../api/errors.ts';
import { isDigest } from './reference.ts';
import { type Json, listIn, objectIn, parseObject, textIn, textMapIn } from './shape.ts';

/** What an image is built for, in the words of Go (`linux`, `amd64`, `v2`); variant may be empty. */
export type Platform = { os: string; architecture: string; variant: string };
/** Content named by digest and exact size. */
export type Descriptor = { mediaType: string; digest: string; sizeBytes: number };
/** A layer as served. */
export type LayerDescriptor = Descriptor & {
  compression: 'gzip' | 'zstd' | 'none';
  /** Path of the one file that the blob is, in an artifact; empty for a tar. */
  file: string;
};
/** One image for one platform. */
export type Manifest = {
  kind: 'manifest';
  config: Descriptor;
  /** Bottom first. */
  layers: LayerDescriptor[];
  annotations: Record<string, string>;
  /** Of an OCI artifact: its type, or that of its configuration; empty for an image. */
  artifactType: string;
};
/** One manifest of an index; `platform` is absent where the index states none. */
export type IndexEntry = Descriptor & { platform: Platform | undefined; nested: boolean };
/** One image for several platforms. */
export type Index = { kind: 'index'; entries: IndexEntry[] };

/** No manifest or index may be larger, in bytes. */
export const maxManifestBytes = 4 << 20;
/** No image configuration may be larger, in bytes. */
export const maxConfigBytes = 8 << 20;

const manifestTypes = new Set([
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
]);
const indexTypes = new Set([
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.index.v1+json',
]);
/** What configurations of images say of themselves; the last two are those of tools long gone. */
const configTypes = new Set([
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.oci.image.config.v1+json',
  'application/octet-stream',
  '',
]);
const titleKey = 'org.opencontainers.image.title';
const compressions: Readonly<Record<string, LayerDescriptor['compression']>> = {
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.oci.image.layer.v1.tar': 'none',
};

/** Accept header that asks for every kind of manifest that `parseManifest` reads. */
export const acceptManifests = [...manifestTypes, ...indexTypes].join(', ');

/**
 * Reads a Docker v2 schema 2 or OCI manifest, manifest list or index. Its own `mediaType` outranks the server's
 * `contentType`; without either its shape decides, and a document of both shapes is refused (CVE-2021-41190).
 */
export function parseManifest(json: string, contentType: string): Manifest | Index {
  const root = parseObject(json, 'manifest');
  const [served = ''] = contentType.split(';', 1);
  const mediaType = textIn(root['mediaType'], 'mediaType') || served.trim();
  const isIndex = root['manifests'] !== undefined;
  if (isIndex && (root['layers'] !== undefined || root['config'] !== undefined)) {
    throw new RuntimeError('corrupt', 'the manifest is list and image at once');
  }
  if (root['schemaVersion'] !== 2 || (isIndex ? manifestTypes : indexTypes).has(mediaType)) {
    throw new RuntimeError(
      'unsupported',
      `manifests of type ${mediaType || 'unknown'} (schema version ` +
        `${String(root['schemaVersion'])}) are not supported: push the image again with a current tool`,
    );
  }
  return isIndex ? readIndex(root) : readManifest(root);
}

function readIndex(root: Json): Index {
  const entries = listIn(root['manifests'], 'manifests').map((item) => {
    const entry = objectIn(item, 'manifests[]');
    const descriptor = readDescriptor(entry);
    return { ...descriptor, platform: readPlatform(entry['platform']), nested: indexTypes.has(descriptor.mediaType) };
  });
  return { kind: 'index', entries };
}

function readPlatform(value: unknown): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const platform = objectIn(value, 'platform');
  return {
    os: textIn(platform['os'], 'platform.os'),
    architecture: textIn(platform['architecture'], 'platform.architecture'),
    variant: textIn(platform['variant'], 'platform.variant'),
  };
}

function readManifest(root: Json): Manifest {
  const config = readDescriptor(objectIn(root['config'], 'config'));
  const items = listIn(root['layers'], 'layers').map((item) => objectIn(item, 'layers[]'));
  const annotations = textMapIn(root['annotations'], 'annotations');
  if (configTypes.has(config.mediaType)) return { kind: 'manifest', config, layers: items.map(readLayer), annotations, artifactType: '' };
  const artifactType = textIn(root['artifactType'], 'artifactType') || config.mediaType;
  return { kind: 'manifest', config, layers: filesOf(items, artifactType), annotations, artifactType };
}

/** The files of an artifact: its blobs that have a title, each kept as it is. */
function filesOf(items: readonly Json[], artifactType: string): LayerDescriptor[] {
  const files = items.map((item): LayerDescriptor => {
    const file = textIn(textMapIn(item['annotations'], 'annotations')[titleKey], titleKey);
    return { ...readDescriptor(item), compression: 'none', file };
  });
  const titled = files.filter(({ file }) => file !== '');
  const wrong = titled.find(({ file }) => !isFilePath(file));
  if (wrong !== undefined) throw new RuntimeError('corrupt', `blob ${wrong.digest} has the title ${JSON.stringify(wrong.file.slice(0, 200))}, which is no path of a file`);
  if (titled.length === 0) throw new RuntimeError('unsupported', `the artifact of type ${artifactType} has no file: none of its blobs has a title`);
  return titled;
}

function isFilePath(path: string): boolean {
  const parts = path.split('/');
  return path.length <= 1024 && !path.includes('\0') && parts.every((part) => part !== '' && part !== '.' && part !== '..' && !part.startsWith('.wh.'));
}

function readLayer(item: Json): LayerDescriptor {
  const descriptor = readDescriptor(item);
  const compression = compressions[descriptor.mediaType];
  if (compression !== undefined) return { ...descriptor, compression, file: '' };
  const foreign = /foreign|nondistributable/.test(descriptor.mediaType);
  throw new RuntimeError(
    'unsupported',
    `layer ${descriptor.digest} has type ${descriptor.mediaType || 'unknown'}: ` +
      (foreign ? 'foreign layers are not fetched' : 'it is no layer of a container image'),
  );
}

function readDescriptor(item: Json): Descriptor {
  const digest = textIn(item['digest'], 'digest');
  const sizeBytes = item['size'];
  if (!isDigest(digest)) throw new RuntimeError('corrupt', `the manifest names the digest ${JSON.stringify(digest)}`);
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new RuntimeError('corrupt', `the manifest gives ${digest} the size ${JSON.stringify(sizeBytes)}`);
  }
  return { mediaType: textIn(item['mediaType'], 'mediaType'), digest, sizeBytes };
}
