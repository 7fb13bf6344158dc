import type { BlobSource } from '../../api/engine.ts';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import type { Descriptor } from '../manifest/manifest.ts';
import type { RegistryClient, ServedManifest } from '../registry/client.ts';
import { retrying } from '../registry/retry.ts';
import { allFailed, type Sources } from './sources.ts';

/**
 * What an image consists of, by digest: asked for where the image was found, and at the other registries of the same
 * name where that fails. What one of them served last is asked of it first.
 */
export type Content = {
  manifest(tagOrDigest: string, signal: AbortSignal): Promise<ServedManifest>;
  blob(descriptor: Descriptor, maxBytes: number, signal: AbortSignal): Promise<string>;
  locations(digest: string, signal: AbortSignal): BlobLocations;
};

/** Where one blob may be fetched, one place after the other. */
export type BlobLocations = {
  /** The first that has it, asked again while none answers. */
  first(): Promise<BlobSource>;
  /** Where to go on from a source that failed after so many bytes: the same registry first (a token or an address may have expired), then others. */
  instead(error: RuntimeError, bytes: bigint): Promise<BlobSource | undefined>;
  /** The next registry, when what the present one served was wrong. */
  other(): Promise<BlobSource | undefined>;
  /** What the registries said when none of them had it from the start. */
  refusal(): RuntimeError | undefined;
};

/** After so many bytes a source counts as good again, and all are tried again when it fails. */
const freshBytes = 1n << 20n;

/** The content of an image that was found at the `first` of its sources. */
export function openContent(sources: Sources, first: number, log: Log): Content {
  let preferred = first;
  const prefer = (index: number): void => {
    preferred = index;
  };
  const ask = async <T>(signal: AbortSignal, work: (client: RegistryClient) => Promise<T>): Promise<T> => {
    const failures: RuntimeError[] = [];
    for await (const { index, client } of sources.from(preferred)) {
      try {
        if (client instanceof RuntimeError) throw client;
        const found = await work(client);
        prefer(index);
        return found;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(asRuntimeError(error));
      }
    }
    throw allFailed(failures);
  };
  return {
    manifest: (tagOrDigest, signal) => ask(signal, (client) => client.manifest(tagOrDigest, signal)),
    blob: (descriptor, maxBytes, signal) => ask(signal, (client) => client.blob(descriptor, maxBytes, signal)),
    locations: (digest, signal) =>
      openLocations({ digest, signal, log, sources, first: preferred, prefer }),
  };
}

type LocationsOptions = {
  digest: string;
  signal: AbortSignal;
  log: Log;
  sources: Sources;
  first: number;
  prefer: (index: number) => void;
};

function openLocations({ digest, signal, log, sources, first, prefer }: LocationsOptions): BlobLocations {
  let turns = sources.from(first)[Symbol.asyncIterator]();
  let at = first;
  let present: RegistryClient | undefined;
  let renewed = false;
  let patient = true;
  let lostAt = 0n;
  let unasked = false;
  let refused: RuntimeError | undefined;
  const startAnew = (): void => {
    turns = sources.from(at)[Symbol.asyncIterator]();
  };
  /** Of the next registry that has the blob, or may be `expected` to; throws what all said when none has, undefined when none is left to ask. */
  const advance = async (expected: boolean): Promise<BlobSource | undefined> => {
    const failures: RuntimeError[] = [];
    for (let turn = await turns.next(); turn.done !== true; turn = await turns.next()) {
      const { index, client } = turn.value;
      try {
        if (client instanceof RuntimeError) throw client;
        const source = (expected ? await client.expect(digest) : undefined) ?? (await client.locate(digest, signal));
        [at, present, renewed] = [index, client, false];
        prefer(index);
        return source;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(asRuntimeError(error));
      }
    }
    if (failures.length > 0) throw allFailed(failures);
    return undefined;
  };
  const fromTheStart = (expected: boolean): Promise<BlobSource> =>
    retrying(signal, async () => {
      unasked = expected;
      startAnew();
      return (await advance(expected)) ?? Promise.reject(allFailed([]));
    });
  const elsewhere = (): Promise<BlobSource | undefined> => advance(false).catch(() => undefined);
  return {
    first: () => fromTheStart(true),
    other: elsewhere,
    refusal: () => refused,
    async instead(error, bytes) {
      if (unasked && bytes === 0n) {
        log.debug('a layer is not where it was expected', { registry: present?.place.host, layer: digest, error: error.message });
        return await fromTheStart(false).catch((failure: unknown) => {
          refused = asRuntimeError(failure);
          return undefined;
        });
      }
      log.warn('a registry gives no more of a layer', { registry: present?.place.host, layer: digest, bytes, error: error.message });
      if (bytes - lostAt >= freshBytes) {
        // The present one has just had its turn.
        startAnew();
        await turns.next();
        [renewed, patient] = [false, true];
      }
      lostAt = bytes;
      if (!renewed && present !== undefined) {
        renewed = true;
        const again = await present.locate(digest, signal).catch(() => undefined);
        if (again !== undefined) return again;
      }
      const found = await elsewhere();
      if (found !== undefined || !patient) return found;
      patient = false;
      return fromTheStart(false).catch(() => undefined);
    },
  };
}
