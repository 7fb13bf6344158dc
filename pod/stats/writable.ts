import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';

/** What a writable layer takes. `atNs` is when it was counted, 0 while it has not been. */
export type LayerUsage = { bytes: bigint; inodes: bigint; atNs: bigint };

/** How old a count may grow before a request for it starts the next one, in milliseconds. */
const FRESH_MS = 10_000;

/** Sizes of writable layers, counted in the background and answered at once. */
export type WritableLayers = {
  /** The last count of each id in `paths`; starts new counts, never waits for one. */
  usage(paths: ReadonlyMap<string, string>): Map<string, LayerUsage>;
  keep(ids: ReadonlySet<string>): void;
};

const unknown: LayerUsage = { bytes: 0n, inodes: 0n, atNs: 0n };

/** Nothing counted yet. */
export function writableLayers(engine: Engine, log: Log): WritableLayers {
  const counts = new Map<string, LayerUsage>();
  let counting = false;

  async function count(due: [string, string][]): Promise<void> {
    const { usage } = await engine.call('diskUsage', { paths: due.map(([, path]) => path) });
    const atNs = BigInt(Date.now()) * 1_000_000n;
    due.forEach(([id], at) => {
      const found = usage[at];
      if (found) counts.set(id, { bytes: BigInt(found.bytes), inodes: BigInt(found.inodes), atNs });
    });
  }
  return {
    usage(paths) {
      const oldNs = BigInt(Date.now() - FRESH_MS) * 1_000_000n;
      const due = [...paths].filter(([id]) => (counts.get(id) ?? unknown).atNs < oldNs);
      if (due.length > 0 && !counting) {
        counting = true;
        count(due)
          .catch((error: unknown) => log.warn('writable layers cannot be counted', { error: String(error) }))
          .finally(() => {
            counting = false;
          });
      }
      return new Map([...paths.keys()].map((id) => [id, counts.get(id) ?? unknown]));
    },
    keep(ids) {
      for (const id of counts.keys()) if (!ids.has(id)) counts.delete(id);
    },
  };
}
