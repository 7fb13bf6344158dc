import type { LayerLimits } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import { timed, type Meter } from '../../api/observe.ts';
import { wallClockNs } from '../../host/clock.ts';
import type { Engine } from '../../host/engine.ts';
import { inParallel } from '../../host/parallel.ts';
import type { Name } from '../records/catalog.ts';
import type { LayerAsk, Stall } from './fetch.ts';
import { waitFor, type Flight, type Flights } from './flights.ts';
import type { Layers, UnpackedLayer } from '../layers/layers.ts';
import type { LayerDescriptor, Platform } from '../manifest/manifest.ts';
import { suits } from '../manifest/platform.ts';
import type { Image } from '../records/record.ts';
import { nameOf, repositoryOf } from '../manifest/reference.ts';
import type { Chosen, Found } from './resolve.ts';
import type { Records } from '../records/records.ts';
import type { View } from '../records/view.ts';

/** What installing an image needs. */
export type InstallOptions = {
  records: Records;
  view: View;
  layers: Layers;
  engine: Engine;
  /** Layers on their way, by diffID. */
  downloads: Flights<UnpackedLayer>;
  /** Runs changes of images and layers one after the other. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Removes those of the layers that no image has and no pull claims. */
  dropUnused: (diffIds: readonly string[]) => Promise<unknown>;
  /** Told of an image that is about to be answered. */
  touch: (imageId: string) => void;
  layerLimits: LayerLimits;
  stall: Stall;
  meter: Meter;
};

const layersAtATime = 6;

/**
 * When what was found is here already, and for that platform: that image, under the reference's name too. A name that an
 * additional store has not makes a record of our own, whose layers stay there.
 */
export async function adopt(
  found: Found,
  platform: Platform,
  { records, view, layers, inTurn, touch }: Omit<InstallOptions, 'downloads'>,
): Promise<Image | undefined> {
  const names = namesOf(found);
  const [, digest] = names;
  const known = view.byName(digest.name);
  if (known !== undefined && !suits(known.config, platform)) return undefined;
  if (known !== undefined) touch(known.id);
  if (known === undefined || names.every(({ name }) => known.tags.includes(name) || known.digests.includes(name)))
    return known;
  return inTurn(async () => {
    const still = view.byName(digest.name);
    if (still === undefined || still.additionalStore === '') return still && records.save(still, names, layers.usageOf);
    const listed = [...still.tags, ...still.digests].map((name) => ({ name, listed: true }));
    return records.save({ ...still, tags: [], digests: [], additionalStore: '' }, [...listed, ...names], layers.usageOf);
  });
}

function namesOf({ reference, top }: Found): [asked: Name, digest: Name] {
  return [
    { name: nameOf(reference), listed: true },
    { name: `${repositoryOf(reference)}@${top.digest}`, listed: true },
  ];
}

/** The names of an image that was found: as asked for, by what that points at, and by its own manifest. */
export function namesOfChosen(found: Found, chosen: Chosen): Name[] {
  const name = `${repositoryOf(found.reference)}@${chosen.digest}`;
  return [{ name, listed: chosen.digest === found.top.digest }, ...namesOf(found)];
}

/** An image to install; `bring` has one of its layers verified and unpacked. */
export type Installing = {
  chosen: Chosen;
  names: readonly Name[];
  bring: (layer: LayerAsk, signal: AbortSignal) => Promise<UnpackedLayer>;
  /** Told of the layers that are missing; the result is called when that is over. */
  watch: (missing: readonly LayerDescriptor[]) => () => void;
};

/** Brings the layers that are missing, puts them in place and commits the image's record. */
export async function install(
  { chosen, names, bring, watch }: Installing,
  options: InstallOptions,
  signal: AbortSignal,
): Promise<Image> {
  const { layers, records, meter, inTurn, dropUnused, touch } = options;
  const { diffIds } = chosen.parsed;
  const release = layers.claim(diffIds);
  const missing = missingLayers(chosen, layers, meter);
  const unwatch = watch(missing.map(({ descriptor }) => descriptor));
  const flights: Flight<UnpackedLayer>[] = [];
  let image: Image | undefined;
  try {
    const unpacked = await timed(meter, 'pull', 'fetch', () =>
      inParallel(layersAtATime, missing, (layer) => {
        const flight = options.downloads.join(layer.diffId, (wanted) => bring(layer, wanted));
        flights.push(flight);
        return waitFor(flight, signal);
      }),
    );
    signal.throwIfAborted();
    image = await timed(meter, 'pull', 'commit', () =>
      inTurn(async () => {
        await layers.commit(unpacked, diffIds);
        const gone = diffIds.find((diffId) => !layers.has(diffId));
        if (gone !== undefined) throw new RuntimeError('unavailable', `layer ${gone} has gone from its additional store meanwhile: pull again`);
        return records.save(recordOf(chosen), names, layers.usageOf);
      }),
    );
    touch(image.id);
    return image;
  } finally {
    const left = Promise.all(flights.map((flight) => flight.leave()));
    release();
    unwatch();
    if (image === undefined) await Promise.all([left, dropUnused(diffIds)]);
  }
}

/** Layers not here yet, each once. */
function missingLayers({ manifest, parsed }: Chosen, layers: Layers, meter: Meter): LayerAsk[] {
  const asks = new Map(
    manifest.layers.map((descriptor, i) => {
      const diffId = parsed.diffIds[i] ?? '';
      return [diffId, { descriptor, diffId }];
    }),
  );
  const missing = [...asks.values()].filter(({ diffId }) => !layers.has(diffId));
  if (missing.length < asks.size) meter.count('image_layers_reused', asks.size - missing.length);
  return missing;
}

function recordOf({ manifest, digest, rawConfig, parsed }: Chosen): Image {
  const { config, diffIds } = parsed;
  const sizeBytes = [manifest.config, ...manifest.layers].reduce((sum, blob) => sum + BigInt(blob.sizeBytes), 0n);
  return {
    // Artifacts share one empty configuration.
    id: manifest.artifactType === '' ? manifest.config.digest : digest,
    tags: [],
    digests: [],
    sizeBytes,
    layers: diffIds,
    config,
    rawConfig,
    annotations: manifest.annotations,
    artifactType: manifest.artifactType,
    pulledAtNs: wallClockNs(),
    additionalStore: '',
  };
}
