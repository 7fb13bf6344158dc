import { Counter as Count, Gauge, Histogram, Registry } from 'prom-client';
import type { Counter, Meter } from '../api/observe.ts';
import { measureProcess } from './process.ts';

/** All measurements of the daemon, in the text format of Prometheus. */
export type Metrics = Meter & {
  /** One finished call: rpc, gRPC code such as `NOT_FOUND`, seconds. */
  rpc(method: string, code: string, seconds: number): void;
  /** Shows what `read` gives whenever somebody looks, as `berth_<name>`. */
  gauge(name: string, help: string, read: () => number): void;
  /** The same by a label; its values come from the code alone. */
  gaugeBy(name: string, help: string, label: string, read: () => Record<string, number>): void;
  /** The page of GET /metrics. */
  render(): Promise<string>;
};

/** Content-Type of the page. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

const counters: Record<Counter, string> = {
  image_pull_bytes: 'Bytes of layers fetched from registries, as they come.',
  image_pulls_succeeded: 'Pulls that ended with an image.',
  image_pulls_failed: 'Pulls that ended with an error.',
  image_layers_reused: 'Layers of pulled images that were there already.',
  containers_oom: 'Containers ended by their memory limit.',
  container_log_records_lost: 'Records of containers\' logs that could not be written.',
  engine_restarts: 'Times the engine ended and was started again.',
  shims_lost: 'Shims that ended while they had containers.',
  records_incomplete: 'Pods and containers that a start found without something that they need.',
  shims_upgraded: 'Shims of another build that have become this one in place.',
  shim_upgrades_failed: 'Shims of another build that could not become this one and stay as they are.',
  events_dropped: 'Lifecycle events given up because their receiver was away or slow.',
  log_lines_dropped: 'Lines of the log given up because it was not read or could not be stored.',
  stream_sessions: 'Clients of exec, attach and port-forward that were served.',
};

/** From a list answered out of memory to a pull of many minutes, seconds. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];

/** Starts measuring; `version` is this build's. */
export function openMetrics({ version }: { version: string }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const rpcs = new Count({ name: 'berth_rpc_total', help: 'Calls answered.', labelNames: ['method', 'code'], registers });
  const rpcSeconds = new Histogram({
    name: 'berth_rpc_duration_seconds', help: 'Time to answer a call.', labelNames: ['method'], buckets, registers,
  });
  const stageSeconds = new Histogram({
    name: 'berth_stage_duration_seconds', help: 'Time of one step of an operation.', labelNames: ['operation', 'stage'], buckets, registers,
  });
  const counts = new Map<Counter, Count>();
  for (const [name, help] of Object.entries(counters)) {
    counts.set(name as Counter, new Count({ name: `berth_${name}_total`, help, registers }));
  }
  const limits = new Count({ name: 'berth_limit_hits_total', help: 'Refusals, by the name of the limit.', labelNames: ['limit'], registers });
  new Gauge({ name: 'berth_build_info', help: 'Always 1; the label tells the version.', labelNames: ['version'], registers }).set({ version }, 1);
  measureProcess(registry);

  return {
    rpc(method, code, seconds) {
      rpcs.inc({ method, code });
      rpcSeconds.observe({ method }, seconds);
    },
    stage: (operation, stage, seconds) => stageSeconds.observe({ operation, stage }, seconds),
    count: (counter, by = 1) => counts.get(counter)?.inc(by),
    limit: (name) => limits.inc({ limit: name }),
    gauge(name, help, read) {
      new Gauge({ name: `berth_${name}`, help, registers, collect() { this.set(read()); } });
    },
    gaugeBy(name, help, label, read) {
      new Gauge({
        name: `berth_${name}`, help, labelNames: [label], registers,
        collect() {
          for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count);
        },
      });
    },
    render: () => registry.metrics(),
  };
}
