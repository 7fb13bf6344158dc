/** A reading of a growing counter. */
export type Reading = { atNs: bigint; value: bigint };

/** Shortest time between two readings that give a rate, in nanoseconds: shorter ones are mostly noise. */
const MIN_WINDOW_NS = 500_000_000n;

/** Rates of counters by id, from the readings that pass by. */
export type Rates = {
  /** Growth per second since an earlier reading; 0 while there is only one. */
  perSecond(id: string, reading: Reading): bigint;
  /** Forgets all ids but these. */
  keep(ids: ReadonlySet<string>): void;
};

/** No readings yet. */
export function counterRates(): Rates {
  const known = new Map<string, { base: Reading; rate: bigint }>();
  return {
    perSecond(id, reading) {
      const last = known.get(id);
      if (!last || reading.value < last.base.value) {
        known.set(id, { base: reading, rate: 0n });
        return 0n;
      }
      const windowNs = reading.atNs - last.base.atNs;
      if (windowNs < MIN_WINDOW_NS) return last.rate;
      const rate = ((reading.value - last.base.value) * 1_000_000_000n) / windowNs;
      known.set(id, { base: reading, rate });
      return rate;
    },
    keep(ids) {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    },
  };
}
