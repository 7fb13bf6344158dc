import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerLimits } from '../api/engine.ts';
import { RuntimeError } from '../api/errors.ts';
import type { Publish } from '../api/events.ts';
import type { Log, Meter } from '../api/observe.ts';
import type { Engine } from '../host/engine.ts';
import { keyedQueue } from '../host/queue.ts';
import { openAdditionalStores } from './additional/additional.ts';
import { layerPathIn } from './additional/additional-store.ts';
import { checkImages } from './check/check.ts';
import { loadImages } from './archive/load.ts';
import { type SaveAsk, saveImages } from './archive/save.ts';
import type { Stall } from './pull/fetch.ts';
import { addUsage, type Layers, type LayerUsage, noUsage, openLayers } from './layers/layers.ts';
import { createLeases, type Leases } from './leases.ts';
import type { Platform } from './manifest/manifest.ts';
import { hostPlatform } from './manifest/platform.ts';
import { usedAs } from './policy/names.ts';
import { openSignatures } from './policy/signatures.ts';
import { verifications, type VerificationOptions } from './policy/verification.ts';
import { createPuller } from './pull/pull.ts';
import type { Image, Images } from './records/record.ts';
import type { PullProgress } from './pull/progress.ts';
import { digestIn, formatReference, nameOf } from './manifest/reference.ts';
import { credentialHelper } from './registry/credential-program.ts';
import { openConfFile, type ConfFile } from './registry/conf-file.ts';
import { meanings } from './registry/endpoint.ts';
import { createHttp } from './registry/http.ts';
import { openRecords, type Records } from './records/records.ts';
import { removals } from './remove.ts';
import { type View, viewOf } from './records/view.ts';

/** What the images need from around them. */
export type ImagesOptions = {
  /** Holds `images/`, `layers/` and `tmp/`; made by the caller. */
  root: string;
  /** Roots of other daemons' images, which are only read. */
  additionalStores: readonly string[];
  engine: Engine;
  /** Path of registries.conf; `<path>.d` is read too. */
  registriesConf: string;
  /** Folders of certificates and hosts.toml by registry, see `hostFolder`. */
  certsDirs: readonly string[];
  /** Credentials for pulls that bring none, see `CredentialsOptions`. */
  authFiles: readonly string[];
  namespaceAuthDir: string;
  layerLimits: LayerLimits;
  verification: VerificationOptions;
  stall: Stall;
  /** This machine's, unless given. */
  platform?: Platform;
  log: Log;
  meter: Meter;
  publish: Publish;
  /** Ids of the containers that use the image. */
  usedBy: (imageId: string) => string[];
};

/** Opens the images below `root`, rid of what a crash left. Throws `newer-format` for records of a newer release. */
export async function openImages(options: ImagesOptions): Promise<Images> {
  const { root, engine, log } = options;
  const records = await openRecords(join(root, 'images'), log);
  const wanted = new Set(records.catalog.list().flatMap((image) => image.layers));
  const additional = await openAdditionalStores(options.additionalStores, options);
  const elsewhere = additional.current;
  const layers = await openLayers({ root, engine, log, wanted, known: records.usages, elsewhere: (diffId) => elsewhere().layer(diffId) });
  await dropIncomplete(records, layers, { mayBeBack: ({ id }) => !additional.allRead() || options.usedBy(id).length > 0, log });
  const view = viewOf({ own: records.catalog, layers, elsewhere });
  const conf = openConfFile(options.registriesConf);
  await conf.refresh().catch((error: unknown) => log.error('no image can be pulled', { error: String(error) }));

  const queue = keyedQueue();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => queue.run('images', work);
  const dropUnused = (diffIds: readonly string[]): Promise<LayerUsage> =>
    inTurn(() => discardUnused(diffIds, records, layers));
  const platform = options.platform ?? (await thisMachine());
  const { authFiles, namespaceAuthDir } = options;
  const credentials = { authFiles, namespaceAuthDir, helper: credentialHelper(engine), log };
  const signatures = await openSignatures(join(root, 'signatures'), log);
  await signatures.keepOnly(new Set([...records.catalog.list(), ...view.list()].flatMap(({ digests }) => digests.map(digestIn))));
  const http = createHttp();
  const verification = verifications(options.verification, { engine, http, temporary: layers.temporary, signatures });
  const leases = createLeases((id) => view.byId(id) !== undefined);
  const { touch } = leases;
  const puller = createPuller({ ...options, verification, credentials, platform, records, view, additional, layers, conf, inTurn, dropUnused, touch });
  const holders = ({ id }: Image): string[] => [...options.usedBy(id), ...leases.holders(id)];
  const find = (reference: string): Image | undefined => findImage(reference, view, conf);
  // What an additional store that cannot be read now has is not missing.
  const isElsewhere = (diffId: string): boolean => elsewhere().layer(diffId) !== undefined || !additional.allRead();
  const pathIn = ({ additionalStore }: Image, diffId: string): string =>
    additionalStore === '' ? layers.pathOf(diffId) : layerPathIn(additionalStore, diffId);
  return {
    list: view.list,
    find,
    pull: puller.pull,
    allow: async (image, { name, namespace }) => (await verification(namespace)).atUse(image, usedAs(image, name, conf.current())),
    pulling: (reference) => pullsOf(reference, puller.progress.pulls(), conf),
    layersInFlight: puller.progress.layersInFlight,
    load: (ask) => loadImages(ask, { engine, platform, limits: options.layerLimits, temporary: layers.temporary, install: puller.install, verification: () => verification('') }),
    save: (references, signal) =>
      saveKept(references.map((reference) => saveAsk(reference, find(reference))), leases, (asks) =>
        saveImages(asks, { engine, temporary: layers.temporary, pathOf: pathIn }, signal),
      ),
    ...removals({ records, find: (reference) => find(reference) ?? findImage(reference, records.catalog, conf), holders, inTurn, dropUnused, publish: options.publish }),
    holders,
    toldAtNs: leases.touchedAtNs,
    lease(imageId) {
      if (view.byId(imageId) === undefined)
        throw new RuntimeError('not-found', `image ${imageId} is not here`);
      return leases.take(imageId);
    },
    layerPaths: (image) => [...new Set(image.layers.toReversed())].map((diffId) => pathIn(image, diffId)),
    check: (ask) => checkImages({ root, engine, records, layers, isElsewhere, holders, inTurn, discardUnused: (diffIds) => discardUnused(diffIds, records, layers) }, ask),
    usage: layers.usage,
    usageOf: layers.usageOf,
    settled: layers.settled,
    async close() {
      await puller.close();
      http.close();
      await inTurn(() => Promise.resolve());
    },
  };
}

/** All tags of an image that is named by its id, else the tag that is named. */
function saveAsk(reference: string, image: Image | undefined): SaveAsk {
  if (image === undefined) throw new RuntimeError('not-found', `image ${reference} is not here: pull it first`);
  if (image.artifactType !== '') throw new RuntimeError('unsupported', `${reference} is an artifact: images alone are saved`);
  const named = image.tags.filter((tag) => tag === reference || tag.endsWith(`/${reference}`));
  return { image, tags: named.length > 0 ? named : image.tags };
}

async function* saveKept(asks: readonly SaveAsk[], leases: Leases, save: (asks: readonly SaveAsk[]) => AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const releases = asks.map(({ image }) => leases.take(image.id));
  try {
    yield* save(asks);
  } finally {
    for (const release of releases) release();
  }
}

/**
 * An image whose layer is missing cannot run: without its record the next pull brings it whole. One whose layer may lie in
 * an additional store that cannot be read now, or that containers stand on, keeps its record and its other layers.
 */
async function dropIncomplete(records: Records, layers: Layers, { mayBeBack, log }: { mayBeBack: (image: Image) => boolean; log: Log }): Promise<void> {
  for (const image of records.catalog.list()) {
    const missing = image.layers.find((diffId) => !layers.has(diffId));
    if (missing === undefined) continue;
    if (mayBeBack(image)) {
      log.warn('image left out, a layer of it is missing: pull it again', { image: image.id, layer: missing });
      continue;
    }
    log.warn('image dropped, a layer of it is missing: pull it again', { image: image.id, layer: missing });
    await records.remove(image.id);
    await discardUnused(image.layers, records, layers);
  }
}

async function thisMachine(): Promise<Platform> {
  const { arm_version: armVersion } = process.config.variables as { arm_version?: string };
  return hostPlatform(process.arch, armVersion ?? '', await readFile('/proc/cpuinfo', 'utf8'));
}

function pullsOf(reference: string, pulls: PullProgress[], conf: ConfFile): PullProgress[] {
  if (reference === '') return pulls;
  const names = meanings(reference, conf.current()).map(formatReference);
  return pulls.filter(({ image }) => names.includes(image));
}

function findImage(reference: string, catalog: View, conf: ConfFile): Image | undefined {
  const hex = reference.replace(/^sha256:/, '');
  const exact = catalog.byId(`sha256:${hex}`);
  if (exact !== undefined) return exact;
  try {
    for (const candidate of meanings(reference, conf.current())) {
      const named = catalog.byName(nameOf(candidate));
      if (named !== undefined) return named;
    }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
  }
  return /^[a-f0-9]{12,63}$/.test(hex) ? catalog.byPrefix(hex) : undefined;
}

/** Returns what they took. */
async function discardUnused(diffIds: readonly string[], records: Records, layers: Layers): Promise<LayerUsage> {
  const used = new Set(records.catalog.list().flatMap((image) => image.layers));
  const unused = [...new Set(diffIds)].filter(
    (diffId) => layers.isOwn(diffId) && !used.has(diffId) && !layers.isClaimed(diffId),
  );
  const freed = unused.map(layers.usageOf).reduce(addUsage, noUsage);
  await layers.discard(unused);
  return freed;
}
