import { whileDoing } from '../../api/errors.ts';
import type { Publish } from '../../api/events.ts';
import { type Log, timed } from '../../api/observe.ts';
import { wallClockNs } from '../../host/clock.ts';
import type { AdditionalStores } from '../additional/additional.ts';
import { createFlights, waitFor } from './flights.ts';
import { fetchLayer } from './fetch.ts';
import { adopt, install, type Installing, type InstallOptions, namesOfChosen } from './install.ts';
import type { UnpackedLayer } from '../layers/layers.ts';
import type { Platform } from '../manifest/manifest.ts';
import { formatPlatform } from '../manifest/platform.ts';
import type { Verification } from '../policy/verification.ts';
import { openProgress, type Progress } from './progress.ts';
import type { Image, PullAsk } from '../records/record.ts';
import { formatReference, type Reference } from '../manifest/reference.ts';
import type { TokenCache } from '../registry/authorize.ts';
import { createRegistryClient } from '../registry/client.ts';
import type { ConfFile } from '../registry/conf-file.ts';
import { type Credentials, credentialsFor, type CredentialsOptions } from '../registry/credentials.ts';
import { candidates, endpoints } from '../registry/endpoint.ts';
import { createHttp } from '../registry/http.ts';
import { placesOf } from '../registry/place.ts';
import { retrying } from '../registry/retry.ts';
import { type Candidate, choose, type Chosen, find, type Found } from './resolve.ts';
import { openSources } from './sources.ts';

/** What pulling needs. */
export type PullOptions = Omit<InstallOptions, 'downloads'> & {
  conf: ConfFile;
  /** Folders `certs.d`, see `hostFolder`. */
  certsDirs: readonly string[];
  credentials: CredentialsOptions;
  platform: Platform;
  log: Log;
  /** What may be pulled for pods of a namespace. */
  verification: (namespace: string) => Promise<Verification>;
  additional: AdditionalStores;
  publish: Publish;
};

/** Pulls of images, and what they share: equal pulls, equal layers, connections and tokens. */
export type Puller = {
  pull(ask: PullAsk): Promise<Image>;
  /** Installs an image that comes another way, its layers shared with pulls. */
  install(image: Installing, signal: AbortSignal): Promise<Image>;
  progress: Progress;
  close(): Promise<void>;
};

/** resolve → choose → fetch → commit: nothing is visible before every byte is verified and on the disk. */
export function createPuller(options: PullOptions): Puller {
  const { conf, layers, log, meter } = options;
  const http = createHttp();
  const tokens: TokenCache = new Map();
  const pulls = createFlights<Image>();
  const progress = openProgress(options);
  const downloads = createFlights<UnpackedLayer>((unpacked) => layers.removeUnpacked(unpacked));

  const candidateOf = (reference: Reference, credentials: Credentials): Candidate => ({
    reference,
    sources: openSources(() =>
      endpoints(reference, conf.current()).map((endpoint) => async () => {
        const places = await placesOf(endpoint, reference.digest !== '', options.certsDirs);
        return places.map((place) => {
          const credential = () => credentials.of(place, [reference.domain, place.host]);
          return createRegistryClient({ http, tokens, credential, place });
        });
      }),
    ),
  });
  const installImage = (image: Installing, signal: AbortSignal): Promise<Image> =>
    install(image, { ...options, downloads }, signal);
  const run = async (
    references: readonly Reference[],
    credentials: Credentials,
    { verification, platform }: { verification: Verification; platform: Platform },
    signal: AbortSignal,
  ): Promise<Image> => {
    const resolved = await timed(meter, 'pull', 'resolve', async () => {
      const places = references.map((reference) => candidateOf(reference, credentials));
      const found = await retrying(signal, () => find(places, signal, log));
      let chosen: Promise<Chosen> | undefined;
      const choice = (): Promise<Chosen> => (chosen ??= retrying(signal, () => choose(found, platform, signal)));
      await verification.atPull(found, async () => (await choice()).digest, signal);
      return (await adopt(found, platform, options)) ?? { found, chosen: await choice() };
    });
    return 'found' in resolved ? installImage(installing(resolved, { ...options, progress }), signal) : resolved;
  };
  return {
    progress,
    async pull({ reference, auth, namespace = '', platform = options.platform, signal }) {
      try {
        const [said] = await Promise.all([conf.refresh(), options.additional.look()]);
        const references = candidates(reference, said);
        const helpers = said.credentialHelpers;
        const credentials = await credentialsFor({ auth, namespace, reference, helpers }, options.credentials);
        const verification = await options.verification(namespace);
        const key = [references.map(formatReference), credentials.key, verification.key, formatPlatform(platform)];
        const flight = pulls.join(JSON.stringify(key), (ended) =>
          counted(options, references, () => run(references, credentials, { verification, platform }, ended)),
        );
        return await waitFor(flight, signal).finally(() => void flight.leave());
      } catch (error) {
        throw whileDoing(`cannot pull ${reference}`, error);
      }
    },
    install: installImage,
    async close() {
      await pulls.close();
      await downloads.close();
      http.close();
    },
  };
}

function installing({ found, chosen }: { found: Found; chosen: Chosen }, options: PullOptions & { progress: Progress }): Installing {
  const { engine, layers, layerLimits: limits, stall, progress } = options;
  return {
    chosen,
    names: namesOfChosen(found, chosen),
    async bring(layer, signal) {
      const { digest, sizeBytes } = layer.descriptor;
      const { to: onProgress, done } = progress.layer(digest);
      const { content } = found;
      try {
        const unpacked = await fetchLayer(layer, { content, engine, temporary: layers.temporary, limits, stall, signal, onProgress });
        onProgress(BigInt(sizeBytes));
        return unpacked;
      } finally {
        done();
      }
    },
    watch: (missing) => progress.watch(formatReference(found.reference), missing),
  };
}

async function counted(
  { meter, publish }: PullOptions,
  references: readonly Reference[],
  work: () => Promise<Image>,
): Promise<Image> {
  try {
    const image = await work();
    meter.count('image_pulls_succeeded');
    publish({
      type: 'image.pulled',
      atNs: wallClockNs(),
      image: references.map(formatReference).join(' or '),
    });
    return image;
  } catch (error) {
    meter.count('image_pulls_failed');
    throw error;
  }
}
