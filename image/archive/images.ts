import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { RuntimeError } from '../../api/errors.ts';
import { parseConfig } from '../manifest/config.ts';
import type { Content } from '../pull/content.ts';
import { digestOf } from '../manifest/digest.ts';
import { type Descriptor, maxConfigBytes, maxManifestBytes } from '../manifest/manifest.ts';
import { isDigest } from '../manifest/reference.ts';
import type { ServedManifest } from '../registry/client.ts';
import { type Json, listIn, objectIn, parseList, parseObject, textIn, textsIn } from '../manifest/shape.ts';
import type { ArchiveForm } from '../policy/policy.ts';
import type { Part, TarIndex } from './index.ts';

/** One image of an archive: what it begins with, what it is called there, and the way to its blobs by digest. */
export type ArchivedImage = {
  top: ServedManifest;
  /** As written: whole references; none where the archive names none, or only a tag. */
  names: string[];
  /** The manifest of a Docker archive is made here: its digest is one that nobody else knows. */
  form: ArchiveForm;
  /** Digests of the manifests by which cosign attached signatures to images of the archive. */
  signatures: readonly string[];
  content: Pick<Content, 'manifest' | 'blob'>;
  partOf(digest: string): Part;
};

const maxSignatures = 100;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** The images of an OCI layout (image-layout.md) or of a Docker archive. Throws `corrupt`, `unsupported`. */
export async function imagesIn(tar: TarIndex): Promise<ArchivedImage[]> {
  const layout = tar.find('index.json');
  if (layout !== undefined) return imagesOfLayout(tar, layout);
  const docker = tar.find('manifest.json');
  if (docker !== undefined) return imagesOfDocker(tar, docker);
  throw new RuntimeError('unsupported', 'the archive has neither index.json (OCI layout) nor manifest.json (Docker): it holds no image');
}

async function imagesOfLayout(tar: TarIndex, index: Part): Promise<ArchivedImage[]> {
  const marker = tar.find('oci-layout');
  const version = marker && textIn(parseObject((await tar.read(marker, maxManifestBytes)).toString('utf8'), 'oci-layout')['imageLayoutVersion'], 'imageLayoutVersion');
  if (version === undefined || !version.startsWith('1.')) {
    throw new RuntimeError('unsupported', `the archive is no OCI layout of version 1 (oci-layout says ${JSON.stringify(version ?? 'nothing')})`);
  }
  const partOf = (digest: string): Part =>
    present(isDigest(digest) ? tar.find(`blobs/${digest.replace(':', '/')}`) : undefined, `blob ${digest}`);
  const content = contentOf(tar, partOf);
  const list = listIn(parseObject((await tar.read(index, maxManifestBytes)).toString('utf8'), 'index.json')['manifests'], 'manifests');
  const entries = list.map((item) => objectIn(item, 'manifests[]'));
  const signatures = entries.filter(isSignature).map((entry) => textIn(entry['digest'], 'manifests[].digest')).slice(0, maxSignatures);
  const images = new Map<string, ArchivedImage>();
  for (const entry of entries.filter((each) => !isAttachment(each))) {
    const digest = textIn(entry['digest'], 'manifests[].digest');
    const known = images.get(digest);
    const top = known?.top ?? { ...(await content.manifest(digest, never)), contentType: textIn(entry['mediaType'], 'manifests[].mediaType') };
    images.set(digest, { top, names: [...(known?.names ?? []), ...namesIn(entry)], form: 'oci', signatures, content, partOf });
  }
  return [...images.values()];
}

/** As `cosign save` writes it, or as the tag of a registry was copied. */
function isSignature(entry: Json): boolean {
  const { kind, tag } = attachmentOf(entry);
  return kind === 'dev.cosignproject.cosign/sigs' || /(^|:)sha256-[0-9a-f]{64}\.sig$/.test(tag);
}

/** What is attached to an image, and is none: signatures, attestations, bills of materials. */
function isAttachment(entry: Json): boolean {
  const { kind, tag } = attachmentOf(entry);
  return /^dev\.cosignproject\.cosign\/(sigs|atts|sbom)/.test(kind) || /(^|:)sha256-[0-9a-f]{64}\.(sig|att|sbom)$/.test(tag);
}

function attachmentOf(entry: Json): { kind: string; tag: string } {
  const annotations = objectIn(entry['annotations'] ?? {}, 'manifests[].annotations');
  return { kind: textIn(annotations['kind'], 'annotation'), tag: textIn(annotations['org.opencontainers.image.ref.name'], 'annotation') };
}

/** containerd and Docker write the whole name into an annotation of their own; the standard one may hold a tag alone. */
function namesIn(entry: Json): string[] {
  const annotations = objectIn(entry['annotations'] ?? {}, 'manifests[].annotations');
  const whole = textIn(annotations['io.containerd.image.name'], 'annotation');
  const ref = textIn(annotations['org.opencontainers.image.ref.name'], 'annotation');
  if (whole !== '') return [whole];
  return /[/:]/.test(ref) ? [ref] : [];
}

/** As if its files were blobs of a layout: their digests are summed up here, the manifest is made. */
async function imagesOfDocker(tar: TarIndex, manifest: Part): Promise<ArchivedImage[]> {
  const list = parseList((await tar.read(manifest, maxManifestBytes)).toString('utf8'), 'manifest.json');
  return Promise.all(list.map((item) => imageOfDocker(tar, objectIn(item, 'manifest.json[]'))));
}

async function imageOfDocker(tar: TarIndex, item: Json): Promise<ArchivedImage> {
  const fileOf = (name: string): Part => present(tar.find(name), `file ${JSON.stringify(name)}`);
  const parts = new Map<string, Part>();
  const config = fileOf(textIn(item['Config'], 'Config'));
  const bytes = await tar.read(config, maxConfigBytes);
  const { diffIds } = parseConfig(bytes.toString('utf8'));
  parts.set(digestOf(bytes), config);
  const layers: Descriptor[] = [];
  for (const [i, name] of textsIn(item['Layers'], 'Layers').entries()) {
    const part = fileOf(name);
    const compression = await compressionOf(tar, part);
    const digest = compression === '' ? (diffIds[i] ?? '') : await sumOf(tar, part);
    parts.set(digest, part);
    layers.push({ mediaType: `application/vnd.oci.image.layer.v1.tar${compression}`, digest, sizeBytes: part.sizeBytes });
  }
  const described = ({ mediaType, digest, sizeBytes }: Descriptor): object => ({ mediaType, digest, size: sizeBytes });
  const configType = 'application/vnd.oci.image.config.v1+json';
  const json = JSON.stringify({
    schemaVersion: 2, mediaType: manifestType,
    config: described({ mediaType: configType, digest: digestOf(bytes), sizeBytes: bytes.length }), layers: layers.map(described),
  });
  const partOf = (digest: string): Part => present(parts.get(digest), `blob ${digest}`);
  const top = { json, contentType: manifestType, digest: digestOf(json) };
  return { top, names: textsIn(item['RepoTags'], 'RepoTags'), form: 'docker', signatures: [], content: contentOf(tar, partOf), partOf };
}

function present(part: Part | undefined, what: string): Part {
  if (part === undefined) throw new RuntimeError('corrupt', `the archive lacks the ${what}`);
  return part;
}

function contentOf(tar: TarIndex, partOf: (digest: string) => Part): Pick<Content, 'manifest' | 'blob'> {
  const verified = async (digest: string, maxBytes: number): Promise<string> => {
    const bytes = await tar.read(partOf(digest), maxBytes);
    const actual = digestOf(bytes, digest.split(':', 1)[0]);
    if (actual !== digest) throw new RuntimeError('corrupt', `the archive has ${actual} in place of the blob ${digest}`);
    return bytes.toString('utf8');
  };
  return {
    manifest: async (digest) => ({ json: await verified(digest, maxManifestBytes), contentType: '', digest }),
    blob: ({ digest }, maxBytes) => verified(digest, maxBytes),
  };
}

/** As the media type's suffix says it; Docker's own archives do not state it. */
async function compressionOf(tar: TarIndex, { offset, sizeBytes }: Part): Promise<'' | '+gzip' | '+zstd'> {
  const magic = (await tar.read({ offset, sizeBytes: Math.min(4, sizeBytes) }, 4)).toString('hex');
  return magic.startsWith('1f8b') ? '+gzip' : magic === '28b52ffd' ? '+zstd' : '';
}

async function sumOf({ path }: TarIndex, { offset, sizeBytes }: Part): Promise<string> {
  const hash = createHash('sha256');
  if (sizeBytes > 0) for await (const chunk of createReadStream(path, { start: offset, end: offset + sizeBytes - 1 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

const never = new AbortController().signal;
