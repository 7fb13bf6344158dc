import type { LayerLimits } from '../api/engine.ts';
import { timed, type Meter } from '../api/observe.ts';
import type { Engine } from '../host/engine.ts';
import { inParallel } from '../host/parallel.ts';
import type { Name } from './catalog.ts';
import { fetchLayer, type LayerAsk, type Stall } from './fetch.ts';
import { waitFor, type Flight, type Flights } from './flights.ts';
import type { Layers, UnpackedLayer } from './layers.ts';
import type { Platform } from './manifest.ts';
import { suits } from './platform.ts';
import type { Progress } from './progress.ts';
import type { Image } from './record.ts';
import { formatReference, nameOf, repositoryOf } from './reference.ts';
import type { Chosen, Found } from './resolve.ts';
import type { Records } from './records.ts';

/** What installing an image needs. */
export type InstallOptions = {
  records: Records;
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
  progress: Progress;
  meter: Meter;
};

const layersAtATime = 6;

/** When what was found is here already, and for that platform: that image, under the reference's name too. */
export async function adopt(
  found: Found,
  platform: Platform,
  { records, layers, inTurn, touch }: Omit<InstallOptions, 'downloads' | 'progress'>,
): Promise<Image | undefined> {
  const { catalog } = records;
  const names = namesOf(found);
  const [, digest] = names;
  const known = catalog.byName(digest.name);
  if (known !== undefined && !suits(known.config, platform)) return undefined;
  if (known !== undefined) touch(known.id);
  if (known === undefined || names.every(({ name }) => known.tags.includes(name) || known.digests.includes(name)))
    return known;
  return inTurn(async () => {
    const still = catalog.byName(digest.name);
    return still && records.save(still, names, layers.usageOf);
  });
}

function namesOf({ reference, top }: Found): [asked: Name, digest: Name] {
  return [
    { name: nameOf(reference), listed: true },
    { name: `${repositoryOf(reference)}@${top.digest}`, listed: true },
  ];
}

/** Fetches the layers that are missing, puts them in place and commits the image's record. */
export async function install(
  { found, chosen }: { found: Found; chosen: Chosen },
  options: InstallOptions,
  signal: AbortSignal,
): Promise<Image> {
  const { layers, records, meter, inTurn, dropUnused, touch, progress } = options;
  const { diffIds } = chosen.parsed;
  const release = layers.claim(diffIds);
  const missing = missingLayers(chosen, layers, meter);
  const unwatch = progress.watch(formatReference(found.reference), missing.map(({ descriptor }) => descriptor));
  const flights: Flight<UnpackedLayer>[] = [];
  let image: Image | undefined;
  try {
    const unpacked = await timed(meter, 'pull', 'fetch', () =>
      inParallel(layersAtATime, missing, (layer) => {
        const flight = download(layer, found, options);
        flights.push(flight);
        return waitFor(flight, signal);
      }),
    );
    signal.throwIfAborted();
    image = await timed(meter, 'pull', 'commit', () =>
      inTurn(async () => {
        await layers.commit(unpacked, diffIds);
        const manifest = {
          name: `${repositoryOf(found.reference)}@${chosen.digest}`,
          listed: chosen.digest === found.top.digest,
        };
        return records.save(recordOf(chosen), [manifest, ...namesOf(found)], layers.usageOf);
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

function download(layer: LayerAsk, { content }: Found, options: InstallOptions): Flight<UnpackedLayer> {
  const { downloads, engine, layers, layerLimits: limits, stall, progress } = options;
  return downloads.join(layer.diffId, async (signal) => {
    const { digest, sizeBytes } = layer.descriptor;
    const { to: onProgress, done } = progress.layer(digest);
    try {
      const unpacked = await fetchLayer(layer, { content, engine, temporary: layers.temporary, limits, stall, signal, onProgress });
      onProgress(BigInt(sizeBytes));
      return unpacked;
    } finally {
      done();
    }
  });
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
    pulledAtNs: BigInt(Date.now()) * 1_000_000n,
  };
}
