import type { Publish } from '../../api/events.ts';
import type { Log, Meter } from '../../api/observe.ts';
import { wallClockNs } from '../../host/clock.ts';

/** How far one layer that a pull fetches is, in compressed bytes. */
export type LayerProgress = { readonly digest: string; readonly bytes: number; readonly totalBytes: number };
/** How far a pull is; layers that were here already are not in it. */
export type PullProgress = {
  readonly image: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly layers: readonly LayerProgress[];
};

/** What is being fetched just now, for those who watch. */
export type Progress = {
  pulls(): PullProgress[];
  /** Layers on their way; several pulls may wait for one. */
  layersInFlight(): number;
  /** Shows a pull of these layers until the result is called. */
  watch(image: string, layers: readonly { digest: string; sizeBytes: number }[]): () => void;
  /** Notes that a layer is on its way; `to` is told its bytes so far. */
  layer(digest: string): { to(bytes: bigint): void; done(): void };
};

/** Who is told, and how often, in milliseconds. */
export type ProgressOptions = { log: Log; meter: Meter; publish: Publish; eventEveryMs?: number; logEveryMs?: number };

type Watched = { image: string; layers: { digest: string; sizeBytes: number }[]; sinceMs: number; loggedMs: number };

/** Watches pulls: an event of each every second, and a line in the log of each that takes long. */
export function openProgress({ log, meter, publish, eventEveryMs = 1_000, logEveryMs = 10_000 }: ProgressOptions): Progress {
  const pulls = new Set<Watched>();
  /** Bytes so far by digest; a layer that is here stays as long as somebody watches it. */
  const bytesOf = new Map<string, number>();
  const fetching = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const stateOf = ({ image, layers }: Watched): PullProgress => {
    const shown = layers.map(({ digest, sizeBytes }) => ({ digest, bytes: bytesOf.get(digest) ?? 0, totalBytes: sizeBytes }));
    const sum = (of: (layer: LayerProgress) => number): number => shown.reduce((total, layer) => total + of(layer), 0);
    return { image, layers: shown, bytes: sum(({ bytes }) => bytes), totalBytes: sum(({ totalBytes }) => totalBytes) };
  };
  const tell = (): void => {
    const nowMs = performance.now();
    for (const pull of pulls) {
      const state = stateOf(pull);
      publish({ type: 'image.pulling', atNs: wallClockNs(), image: pull.image, progress: state });
      if (nowMs - pull.loggedMs < logEveryMs) continue;
      pull.loggedMs = nowMs;
      log.info('pulling', { ...lineOf(state), seconds: Math.round((nowMs - pull.sinceMs) / 1000) });
    }
  };
  const forget = (pull: Watched): void => {
    pulls.delete(pull);
    const watched = new Set([...pulls].flatMap(({ layers }) => layers.map(({ digest }) => digest)));
    for (const { digest } of pull.layers) if (!watched.has(digest) && !fetching.has(digest)) bytesOf.delete(digest);
    if (pulls.size === 0) clearInterval(timer);
  };
  return {
    pulls: () => [...pulls].map(stateOf),
    layersInFlight: () => fetching.size,
    watch(image, layers) {
      const nowMs = performance.now();
      const pull: Watched = { image, layers: [...layers], sinceMs: nowMs, loggedMs: nowMs };
      if (pulls.size === 0) timer = setInterval(tell, eventEveryMs).unref();
      pulls.add(pull);
      return () => forget(pull);
    },
    layer(digest) {
      let before = 0;
      fetching.add(digest);
      bytesOf.set(digest, 0);
      return {
        to(bytes) {
          const now = Number(bytes);
          // A fetch that begins anew downloads anew.
          meter.count('image_pull_bytes', now >= before ? now - before : now);
          before = now;
          bytesOf.set(digest, now);
        },
        done: () => void fetching.delete(digest),
      };
    },
  };
}

function lineOf({ image, bytes, totalBytes, layers }: PullProgress): Record<string, string | number> {
  const done = layers.filter((layer) => layer.bytes === layer.totalBytes).length;
  const percent = totalBytes === 0 ? 100 : Math.floor((100 * bytes) / totalBytes);
  return { image, percent, bytes, totalBytes, layersDone: done, layers: layers.length };
}
