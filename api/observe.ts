/** Facts beside a log message; secrets never belong here. */
export type Fields = Record<string, string | number | boolean | bigint | undefined>;

/** Where messages for operators go. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (message: string, fields?: Fields) => void>;

/** Counters that parts of the runtime report besides stages and calls. */
export type Counter =
  | 'image_pull_bytes'
  | 'image_pulls_succeeded'
  | 'image_pulls_failed'
  | 'image_layers_reused'
  | 'containers_oom'
  | 'container_log_records_lost'
  | 'engine_restarts'
  | 'shims_lost'
  | 'records_incomplete'
  | 'shims_upgraded'
  | 'shim_upgrades_failed'
  | 'events_dropped'
  | 'log_lines_dropped'
  | 'stream_sessions';

/** Where measurements go. */
export type Meter = {
  /** One finished step of an operation, e.g. (`run_pod`, `cni`, 0.031); seconds. */
  stage(operation: string, stage: string, seconds: number): void;
  count(counter: Counter, by?: number): void;
  /** Somebody was refused or cut off by the limit of that name; names come from the code alone. */
  limit(name: string): void;
};

/** Runs `work` and reports how long it took as that stage, also when it fails. */
export async function timed<T>(meter: Meter, operation: string, stage: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  try {
    return await work();
  } finally {
    meter.stage(operation, stage, (performance.now() - from) / 1000);
  }
}
