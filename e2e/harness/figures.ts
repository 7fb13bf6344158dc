/** What one run of cribench printed: figures by name, in the unit it printed. */
export type Figures = ReadonlyMap<string, number>;

/** Reads cribench's `name value unit` lines; the rate of the side-by-side start becomes `par.pods_per_second`. */
export function readFigures(text: string): Map<string, number> {
  const figures = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\[[^\]]+\] \S+|\S+) (\d+(?:\.\d+)?) (?:ms|s|MiB)\b/.exec(line) ?? [];
    if (name !== undefined) figures.set(name, Number(value));
    const rate = /^par\.wall .*, (\d+(?:\.\d+)?) pods\/s$/.exec(line)?.[1];
    if (rate !== undefined) figures.set('par.pods_per_second', Number(rate));
  }
  return figures;
}

/** The median of one figure over several runs; NaN when no run has it. */
export function median(runs: readonly Figures[], name: string): number {
  const values = runs.flatMap((run) => run.get(name) ?? []).sort((a, b) => a - b);
  const middle = values.length / 2;
  const [low, high] = [values[Math.ceil(middle) - 1], values[Math.floor(middle)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** One row of the report: a figure, what it means, its unit, and the bar it has to clear. */
export type Row = {
  readonly name: string;
  readonly meaning: string;
  readonly unit: string;
  /** At most this (or, for rates, at least this) times the peer's. */
  readonly ratio?: number;
  /** At most this, in the row's unit. */
  readonly limit?: number;
  readonly moreIsBetter?: boolean;
};

export const rows: readonly Row[] = [
  { name: 'seq.pod_ready.p50', meaning: 'pod ready, median', unit: 'ms', ratio: 0.5 },
  { name: 'seq.pod_ready.p95', meaning: 'pod ready, 95th percentile', unit: 'ms' },
  { name: 'seq.run_pod.p50', meaning: 'RunPodSandbox', unit: 'ms' },
  { name: 'seq.create_container.p50', meaning: 'CreateContainer', unit: 'ms' },
  { name: 'seq.start_container.p50', meaning: 'StartContainer', unit: 'ms' },
  { name: 'seq.exec_sync.p50', meaning: 'ExecSync of `true`', unit: 'ms', ratio: 1 },
  { name: 'seq.stop_remove_pod.p50', meaning: 'stop and remove a pod', unit: 'ms', ratio: 0.6 },
  { name: 'par.pods_per_second', meaning: '50 pods, 8 at once', unit: 'pods/s', ratio: 2, moreIsBetter: true },
  { name: 'par.stop_wall', meaning: 'stop and remove those 50', unit: 's' },
  { name: 'start.ready', meaning: 'start of the daemon until it is ready', unit: 'ms', limit: 1000 },
  { name: 'restart.listed', meaning: 'restart with 100 pods until all are listed', unit: 'ms', limit: 300 },
  { name: 'memory.idle', meaning: 'memory (PSS), idle', unit: 'MiB', limit: 90 },
  { name: 'memory.idle_anonymous', meaning: 'of that anonymous', unit: 'MiB', limit: 35 },
  { name: 'memory.loaded', meaning: 'memory with 50 pods', unit: 'MiB' },
  { name: 'memory.per_pod', meaning: 'memory per pod', unit: 'MiB', limit: 0.3 },
  { name: 'loaded.list_pods.p50', meaning: 'ListPodSandbox of 50', unit: 'ms', limit: 1.5 },
  { name: 'loaded.list_containers.p50', meaning: 'ListContainers of 50', unit: 'ms', limit: 1.5 },
  { name: 'loaded.container_status.p50', meaning: 'ContainerStatus', unit: 'ms' },
  { name: 'loaded.list_container_stats.p50', meaning: 'ListContainerStats of 50', unit: 'ms', limit: 10 },
  { name: 'loaded.list_images.p50', meaning: 'ListImages', unit: 'ms' },
  { name: '[busybox:1.29-2] pull.p50', meaning: 'pull of one small layer', unit: 'ms' },
  { name: '[bulk:1] pull.p50', meaning: 'pull of seven layers, 100 MiB', unit: 'ms' },
];

/** A Markdown table of medians and ratios, and whether each bar is cleared. */
export function report(ours: readonly Figures[], peers: readonly Figures[]): string {
  const lines = rows.map((row) => {
    const [mine, theirs] = [median(ours, row.name), median(peers, row.name)];
    const cells = [
      row.meaning,
      show(mine, row.unit),
      show(theirs, row.unit),
      show(mine / theirs, '×'),
      bar(row, mine, mine / theirs),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| figure | Berth | containerd | ratio | bar |', '|---|--:|--:|--:|---|', ...lines].join('\n');
}

function bar(row: Row, value: number, ratio: number): string {
  const [bound, measured, unit] = row.ratio !== undefined ? [row.ratio, ratio, '×'] : [row.limit, value, row.unit];
  if (bound === undefined || Number.isNaN(measured)) return '';
  const cleared = row.moreIsBetter === true ? measured >= bound : measured <= bound;
  return `${row.moreIsBetter === true ? '≥' : '≤'} ${bound} ${unit}: ${cleared ? 'yes' : '**no**'}`;
}

function show(value: number, unit: string): string {
  return Number.isNaN(value) ? '–' : `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} ${unit}`;
}
