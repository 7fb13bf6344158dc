import type { CgroupSample } from '../../api/engine.ts';

/** Counters of several cgroups as if they were one; undefined for none. There is a limit only where each has one. */
export function summed(id: string, samples: CgroupSample[]): CgroupSample | undefined {
  const [first] = samples;
  if (!first) return undefined;
  const sum = (key: Counted): string => `${samples.reduce((total, sample) => total + BigInt(sample[key]), 0n)}`;
  const limit = (key: Counted): string => (samples.some((sample) => sample[key] === '0') ? '0' : sum(key));
  return {
    id,
    atNs: first.atNs,
    monotonicNs: first.monotonicNs,
    cpuUsageNs: sum('cpuUsageNs'),
    memoryUsageBytes: sum('memoryUsageBytes'),
    workingSetBytes: sum('workingSetBytes'),
    rssBytes: sum('rssBytes'),
    pageFaults: sum('pageFaults'),
    majorPageFaults: sum('majorPageFaults'),
    swapUsageBytes: sum('swapUsageBytes'),
    memoryLimitBytes: limit('memoryLimitBytes'),
    swapLimitBytes: limit('swapLimitBytes'),
    pids: sum('pids'),
    oomKills: sum('oomKills'),
    pressure: null,
  };
}

type Counted = Exclude<keyof CgroupSample, 'pressure'>;
