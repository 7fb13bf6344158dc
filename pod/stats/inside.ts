import type { CgroupSample } from '../../api/engine.ts';
import type { OciRuntime } from '../../api/shim.ts';
import type { PodContext } from '../context.ts';
import type { Container } from '../record.ts';
import { runRuntime } from '../runtime-call.ts';

/** What an OCI runtime tells of a container in its sandbox process. */
export type InsideCounters = Pick<CgroupSample, 'cpuUsageNs' | 'memoryUsageBytes' | 'workingSetBytes' | 'rssBytes' | 'pids'>;

/** Nobody's figures wait longer for a runtime, in milliseconds. */
const PATIENCE_MS = 2_000;

/**
 * Counters, by id, of those containers that run inside a sandbox process: no process of theirs is in their cgroup, so the
 * OCI runtime is asked. One of which nothing is told in time is left out.
 */
export async function insideCounters(context: PodContext, containers: Container[]): Promise<Map<string, InsideCounters>> {
  const asked = containers.flatMap((container) => {
    const runtime = context.runtimes.byName.get(container.handler || context.runtimes.defaultName)?.runtime;
    return runtime?.sandboxed ? [ask(context, runtime, container.id)] : [];
  });
  return new Map((await Promise.all(asked)).flat());
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
