import type { CgroupSample, GroupMeasure } from '../../api/engine.ts';
import type { OciRuntime } from '../../api/shim.ts';
import type { PodContext } from '../context.ts';
import type { Container } from '../record.ts';
import { runRuntime } from '../runtime-call.ts';
import type { Family } from './metric-families.ts';

/** What an OCI runtime tells of a container in its sandbox process. */
export type InsideCounters = Pick<CgroupSample, 'cpuUsageNs' | 'memoryUsageBytes' | 'workingSetBytes' | 'rssBytes' | 'pids'>;

/** Nobody's figures wait longer for a runtime, in milliseconds. */
const PATIENCE_MS = 2_000;

/**
 * Counters, by id, of those containers that run inside a sandbox process: no process of theirs is in their cgroup, so the
 * OCI runtime is asked. One of which nothing is told in time is left out.
 */
export async function insideCounters(context: PodContext, containers: Container[]): Promise<Map<string, InsideCounters>> {
  const asked = containers.filter((one) => runsInside(context, one)).map((one) => ask(context, runtimeOf(context, one) as OciRuntime, one.id));
  return new Map((await Promise.all(asked)).flat());
}

/** True for a container inside a sandbox process. */
export function runsInside(context: PodContext, container: Container): boolean {
  return runtimeOf(context, container)?.sandboxed ?? false;
}

function runtimeOf({ runtimes }: PodContext, { handler }: Container): OciRuntime | undefined {
  return runtimes.byName.get(handler || runtimes.defaultName)?.runtime;
}

async function ask(context: PodContext, runtime: OciRuntime, id: string): Promise<[string, InsideCounters][]> {
  const told = await runRuntime(context.engine, runtime, ['events', '--stats', id], PATIENCE_MS).catch(() => null);
  const counters = told?.exitCode === 0 ? countersIn(told.stdout) : null;
  return counters ? [[id, counters]] : [];
}

/** Counters out of what `events --stats` prints (runc's form, which runsc has too); null when it is something else. */
export function countersIn(text: string): InsideCounters | null {
  type Event = { data?: { cpu?: { usage?: { total?: number } }; memory?: { usage?: { usage?: number } }; pids?: { current?: number } } };
  try {
    const { data } = JSON.parse(text) as Event;
    if (data?.cpu?.usage === undefined) return null;
    const memory = counter(data.memory?.usage?.usage);
    return { cpuUsageNs: counter(data.cpu.usage.total), memoryUsageBytes: memory, workingSetBytes: memory, rssBytes: memory, pids: counter(data.pids?.current) };
  } catch {
    return null;
  }
}

function counter(value: number | undefined): string {
  return Number.isFinite(value) ? `${BigInt(Math.trunc(value ?? 0))}` : '0';
}

/** Metrics of such a container: those that its counters give, and those that no cgroup is read for. */
const COUNTED = ['cpu_usage_seconds_total', 'memory_usage_bytes', 'memory_working_set_bytes', 'memory_rss', 'processes'];
const UNCOUNTED = ['fs_inodes_free', 'fs_inodes_total', 'fs_limit_bytes', 'fs_usage_bytes', 'start_time_seconds', 'last_seen'];

/** Those of `families` that are known of a container inside a sandbox process, of which the runtime told `counters` or nothing. */
export function familiesInside(families: readonly Family[], counters: InsideCounters | undefined): Family[] {
  const known = new Set([...UNCOUNTED, ...(counters ? COUNTED : [])].map((name) => `container_${name}`));
  return families.filter(({ name }) => known.has(name));
}

/** The counters as the files `names` of a cgroup would tell them. */
export function measureInside(id: string, version: 1 | 2, names: readonly string[], counters: InsideCounters | undefined): GroupMeasure {
  const { cpuUsageNs = '0', memoryUsageBytes = '0', rssBytes = '0', pids = '0' } = counters ?? {};
  const files: Record<string, string> =
    version === 1
      ? { 'cpuacct/cpuacct.usage': cpuUsageNs, 'memory/memory.usage_in_bytes': memoryUsageBytes, 'memory/memory.stat': `total_rss ${rssBytes}` }
      : { 'cpu.stat': `usage_usec ${BigInt(cpuUsageNs) / 1000n}`, 'memory.current': memoryUsageBytes, 'memory.stat': `anon ${rssBytes}` };
  return { id, texts: names.map((name) => files[name] ?? ''), processes: Number(pids), fileDescriptors: 0, sockets: 0, limits: '' };
}
