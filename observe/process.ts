import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';

/** How often the event loop's delay is sampled: often enough to see a stall, seldom enough to let an idle daemon sleep. */
const SAMPLE_MS = 100;

/** Adds what the daemon's own process costs: CPU, memory, descriptors, and how late its event loop runs. */
export function measureProcess(registry: Registry): void {
  const registers = [registry];
  const startedAt = Math.round(Date.now() / 1000 - process.uptime());
  new Gauge({ name: 'process_start_time_seconds', help: 'When the process started, seconds since 1970.', registers }).set(startedAt);
  new Counter({
    name: 'process_cpu_seconds_total', help: 'CPU time of the process, user and system.', registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  reading('process_resident_memory_bytes', 'Memory of the process that is in RAM.', () => process.memoryUsage.rss());
  reading('process_open_fds', 'Open file descriptors.', () => readdirSync('/proc/self/fd').length);
  reading('berth_heap_used_bytes', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed);
  measureEventLoop(registry);

  function reading(name: string, help: string, read: () => number): void {
    new Gauge({ name, help, registers, collect() { this.set(read()); } });
  }
}

/** How late the event loop ran since the last look, by quantile. */
function measureEventLoop(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  delay.enable();
  new Gauge({
    name: 'berth_event_loop_delay_seconds', help: 'How late the event loop ran since the last scrape.', labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of [50, 99, 100]) {
        const lateNs = delay.count === 0 ? 0 : delay.percentile(quantile) - SAMPLE_MS * 1e6;
        this.set({ quantile: String(quantile / 100) }, Math.max(0, lateNs) / 1e9);
      }
      delay.reset();
    },
  });
}
