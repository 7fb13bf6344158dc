import { open, rm } from 'node:fs/promises';
import type { LayerLimits } from '../../api/engine.ts';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import type { Name } from '../records/catalog.ts';
import type { LayerAsk } from '../pull/fetch.ts';
import type { Installing } from '../pull/install.ts';
import type { UnpackedLayer } from '../layers/layers.ts';
import type { Platform } from '../manifest/manifest.ts';
import type { Image, LoadAsk } from '../records/record.ts';
import { nameOf, parseReference, type Reference, repositoryOf } from '../manifest/reference.ts';
import { type Attached, signaturesOf } from '../policy/cosign.ts';
import type { Verification } from '../policy/verification.ts';
import { choose } from '../pull/resolve.ts';
import { sumsBeside } from '../layers/places.ts';
import { unpacked } from '../layers/unpack.ts';
import { type ArchivedImage, imagesIn } from './images.ts';
import { indexTar, type TarIndex } from './index.ts';

/** What loading needs. */
export type LoadOptions = {
  engine: Engine;
  platform: Platform;
  limits: LayerLimits;
  temporary: () => string;
  install: (image: Installing, signal: AbortSignal) => Promise<Image>;
  /** What the node's policy is now. */
  verification: () => Promise<Verification>;
};

/**
 * The images of an archive (a tar of an OCI layout, or a Docker archive), each verified and committed as a pull's. Kept
 * in a file until then: the layers' place in it is known only when its last byte is here. Errors: those of a pull.
 */
export async function loadImages({ archive, name, signal }: LoadAsk, options: LoadOptions): Promise<Image[]> {
  const path = options.temporary();
  try {
    await keep(archive, path, signal);
    const tar = await indexTar(path);
    try {
      return await loadAll(tar, { name, signal }, options);
    } finally {
      await tar.close();
    }
  } catch (error) {
    throw whileDoing('cannot load the archive', error);
  } finally {
    await rm(path, { force: true });
  }
}

/** Whoever sends may hang: that the signal aborts ends the wait for it. */
async function keep(archive: AsyncIterable<Buffer>, path: string, signal: AbortSignal): Promise<void> {
  const pieces = archive[Symbol.asyncIterator]();
  const file = await open(path, 'wx', 0o600);
  try {
    for (;;) {
      const piece = await unlessAborted(pieces.next(), signal);
      if (piece.done === true) return;
      await file.writeFile(piece.value).catch((error: unknown) => Promise.reject(diskFull(error)));
    }
  } finally {
    await file.close();
  }
}

async function loadAll(tar: TarIndex, { name, signal }: Omit<LoadAsk, 'archive'>, options: LoadOptions): Promise<Image[]> {
  const archived = await imagesIn(tar);
  if (name !== '' && archived.length !== 1) {
    throw new RuntimeError('invalid', `the archive holds ${archived.length} images, which cannot all be named ${name}`);
  }
  const images: Image[] = [];
  for (const image of archived) {
    const chosen = await choose(image, options.platform, signal);
    const { artifactType } = chosen.manifest;
    if (artifactType !== '') throw new RuntimeError('unsupported', `the archive holds an artifact (${artifactType}): artifacts are pulled from registries alone`);
    const bring = (layer: LayerAsk, wanted: AbortSignal): Promise<UnpackedLayer> => unpack(layer, { tar, image, signal: wanted }, options);
    const references = (name === '' ? image.names : [name]).map(parseReference);
    const digests = [...new Set([image.top.digest, chosen.digest])];
    const attached = await attachedTo(digests, image, signal);
    await (await options.verification()).atLoad({ form: image.form, names: references, digests, attached });
    images.push(await options.install({ chosen, names: namesFor(image, references), bring, watch: () => () => undefined }, signal));
  }
  return images;
}

/** So many signatures of one image count; those of others in the same archive come beside. */
const maxAttached = 64;

/** Signatures that name one of the digests; that they do is checked where they count. */
async function attachedTo(digests: readonly string[], { signatures, content }: ArchivedImage, signal: AbortSignal): Promise<Attached[]> {
  const found: Attached[] = [];
  for (const digest of signatures) {
    const { json } = await content.manifest(digest, signal);
    const all = await signaturesOf(json, content, signal);
    found.push(...all.filter(({ payload }) => digests.some((each) => payload.includes(each))));
    if (found.length >= maxAttached) break;
  }
  return found.slice(0, maxAttached);
}

function namesFor({ top, form }: ArchivedImage, references: readonly Reference[]): Name[] {
  return references.flatMap((reference) => {
    const byDigest = { name: `${repositoryOf(reference)}@${top.digest}`, listed: true };
    // A digest that was claimed and not proven is no name.
    const asked = reference.digest === '' ? [{ name: nameOf(reference), listed: true }] : [];
    return form === 'oci' ? [...asked, byDigest] : asked;
  });
}

async function unpack(
  { descriptor, diffId }: LayerAsk,
  { tar, image, signal }: { tar: TarIndex; image: ArchivedImage; signal: AbortSignal },
  { engine, limits, temporary }: LoadOptions,
): Promise<UnpackedLayer> {
  const { digest, sizeBytes, compression } = descriptor;
  const part = image.partOf(digest);
  if (part.sizeBytes !== sizeBytes) {
    throw new RuntimeError('corrupt', `layer ${digest} should have ${sizeBytes} bytes, the archive has ${part.sizeBytes}`);
  }
  const directory = temporary();
  const ask = { path: tar.path, offset: part.offset, digest, sizeBytes, compression, diffId, target: directory, limits, sums: sumsBeside(directory) };
  return unpacked({ diffId, directory, engine }, () => engine.call('unpackLayer', ask, { signal }));
}

function diskFull(error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? new RuntimeError('exhausted', `no room to keep it meanwhile: ${message}`, error) : (error as Error);
}
