import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../api/observe.ts';
import { wallClockNs } from '../../host/clock.ts';
import type { Engine } from '../../host/engine.ts';

/** What a writable layer takes, and when it was counted. */
export type LayerUsage = { bytes: bigint; inodes: bigint; atNs: bigint };

/** `untilMs` is by the clock that is never stepped. */
type Count = LayerUsage & { untilMs: number };

/** How old a count may grow before a request for it starts the next one, in milliseconds. */
const FRESH_MS = 10_000;

/** How long the first request for a layer may wait for its first count, in milliseconds; a small layer takes one. */
const FIRST_COUNT_MS = 100;

/** Sizes of writable layers, counted in the background. */
export type WritableLayers = {
  /**
   * The last count of each id in `paths`, at once; new counts are started where the last is old. Only a layer that was
   * never asked for makes the caller wait a little for its first count; one still without is not in the result.
   */
  usage(paths: ReadonlyMap<string, string>): Promise<Map<string, LayerUsage>>;
  keep(ids: Pick<ReadonlySet<string>, 'has'>): void;
};

/** Nothing counted yet. */
export function writableLayers(engine: Engine, log: Log): WritableLayers {
  const counts = new Map<string, Count>();
  const asked = new Set<string>();
  const due = new Map<string, string>();
  let counting: Promise<void> | undefined;

  async function countDue(): Promise<void> {
    while (due.size > 0) {
      const batch = [...due];
      due.clear();
      const { usage } = await engine.call('diskUsage', { paths: batch.map(([, path]) => path) });
      const [atNs, untilMs] = [wallClockNs(), performance.now() + FRESH_MS];
      batch.forEach(([id], at) => {
        const found = usage[at];
        if (found && asked.has(id)) counts.set(id, { bytes: BigInt(found.bytes), inodes: BigInt(found.inodes), atNs, untilMs });
      });
    }
  }
  function startCounting(): Promise<void> {
    counting ??= countDue()
      .catch((error: unknown) => log.warn('writable layers cannot be counted', { error: String(error) }))
      .finally(() => {
        counting = undefined;
      });
    return counting;
  }
  return {
    async usage(paths) {
      const nowMs = performance.now();
      for (const [id, path] of paths) if ((counts.get(id)?.untilMs ?? 0) <= nowMs) due.set(id, path);
      const first = [...paths.keys()].some((id) => !asked.has(id));
      for (const id of paths.keys()) asked.add(id);
      if (due.size > 0) {
        const counted = startCounting();
        if (first) await Promise.race([counted, sleep(FIRST_COUNT_MS, undefined, { ref: false })]);
      }
      return new Map([...paths.keys()].flatMap((id) => {
        const count = counts.get(id);
        return count ? [[id, count] as const] : [];
      }));
    },
    keep(ids) {
      for (const id of asked) {
        if (ids.has(id)) continue;
        asked.delete(id);
        counts.delete(id);
        due.delete(id);
      }
    },
  };
}
