/** A reading of a growing counter, its time by the clock that is never set. */
export type Reading = { atNs: bigint; value: bigint };

/** Shortest time between two readings that give a rate, in nanoseconds: shorter ones are mostly noise. */
const MIN_WINDOW_NS = 500_000_000n;

/** Rates of counters by id, from the readings that pass by. */
export type Rates = {
  /** Growth per second since an earlier reading; over `ageNs`, for which the counter has grown from zero, while there is none. */
  perSecond(id: string, reading: Reading, ageNs: bigint): bigint;
  /** Forgets all ids but these. */
  keep(ids: Pick<ReadonlySet<string>, 'has'>): void;
};

/** No readings yet. */
export function counterRates(): Rates {
  const known = new Map<string, { base: Reading; rate: bigint }>();
  return {
    perSecond(id, reading, ageNs) {
      const last = known.get(id);
      // Of two requests at a time the earlier reading may come later.
      const late = last !== undefined && reading.atNs < last.base.atNs;
      if (last && (late || (reading.value >= last.base.value && reading.atNs - last.base.atNs < MIN_WINDOW_NS))) return last.rate;
      const base = last && reading.value >= last.base.value ? last.base : { atNs: reading.atNs - ageNs, value: 0n };
      const rate = growth(base, reading);
      known.set(id, { base: reading, rate });
      return rate;
    },
    keep(ids) {
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    },
  };
}

function growth(from: Reading, to: Reading): bigint {
  const windowNs = to.atNs - from.atNs;
  return windowNs > 0n ? ((to.value - from.value) * 1_000_000_000n) / windowNs : 0n;
}
