import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { decode } from '../../api/cri.ts';
import type { GroupMeasure, InterfaceSample } from '../../api/engine.ts';
import { wallClockNs } from '../../host/clock.ts';
import { containerCgroupPath } from '../container/plan.ts';
import type { PodContext } from '../context.ts';
import type { Container, Sandbox } from '../record.ts';
import { familiesInside, insideCounters, measureInside, runsInside } from './inside.ts';
import type { CountingHost, Family, Measured } from './metric-families.ts';
import type { LayerUsage } from './writable.ts';

/** What was read of a container, and the families that it is enough for. */
export type ContainerMeasure = { of: Measured; families: Family[] };

/** What was read of the containers and networks of some pods. */
export type Measures = { containers: Map<string, ContainerMeasure>; interfaces: Map<string, InterfaceSample[]> };

/** What this machine can count; looked up once, at start. */
export function countingHost(context: PodContext): CountingHost {
  const { version, mounts } = context.cgroup.host;
  const offered = version === 1 ? Object.keys(mounts) : text(`${mounts['unified']}/cgroup.controllers`).trim().split(/\s+/);
  const { kernel, swapAccounting, hugepageSizes } = context.host;
  return { version, controllers: new Set(offered), kernel, swapAccounting, hugepageSizes, pressure: text('/proc/pressure/cpu') !== '' };
}

/** Reads all that `families` want of the containers, and the traffic of the pods, in calls of the engine beside each other. */
export async function measure(
  context: PodContext,
  families: Family[],
  asked: { sandboxes: Sandbox[]; containers: Container[]; layers: Map<string, LayerUsage> },
): Promise<Measures> {
  const { mounts, version } = context.cgroup.host;
  const names = [...new Set(families.flatMap((family) => family.files))];
  const files = names.map((name): [string, string] => {
    const slash = name.indexOf('/');
    return version === 1 ? [name.slice(0, slash), name.slice(slash + 1)] : ['unified', name];
  });
  const groups = asked.containers.map((one) => ({ id: one.id, path: containerCgroupPath(context, one), pid: one.pid }));
  const networks = asked.sandboxes.map((one) => ({ id: one.id, pid: one.shimPid }));
  const [found, traffic, disk, inside] = await Promise.all([
    context.engine.call('measure', { mounts, groups, files }),
    context.engine.call('sample', { mounts, groups: [], networks }),
    context.engine.call('statfs', { path: context.roots.root }),
    insideCounters(context, asked.containers),
  ]);
  const device = deviceOf(context.roots.root);
  const byId = new Map(found.groups.map((one) => [one.id, one]));
  const containers = asked.containers.flatMap((container): [string, ContainerMeasure][] => {
    const { id } = container;
    const isInside = runsInside(context, container);
    const measured = isInside ? measureInside(id, version, names, inside.get(id)) : byId.get(id);
    if (!measured) return [];
    const usedBytes = asked.layers.get(id)?.bytes ?? null;
    const of = { ...facts(container, measured, names), disk: { ...disk, device, usedBytes } };
    return [[id, { of, families: isInside ? familiesInside(families, inside.get(id)) : families }]];
  });
  return { containers: new Map(containers), interfaces: new Map(traffic.networks.map((one) => [one.id, one.interfaces])) };
}

function facts(container: Container, measured: GroupMeasure, names: string[]): Omit<Measured, 'disk'> {
  const texts = new Map(names.map((name, at) => [name, measured.texts[at] ?? '']));
  const { processes: count, fileDescriptors, sockets, limits } = measured;
  return {
    file: (name) => texts.get(name) ?? '',
    processes: { count, fileDescriptors, sockets },
    limits,
    cpuShares: BigInt(decode('ContainerConfig', container.config).linux?.resources?.cpu_shares ?? 0),
    startedAtNs: BigInt(container.startedAtNs),
    atNs: wallClockNs(),
    deviceName,
  };
}

/** The device of the file system that holds `path`: the mount with the longest path above it. */
function deviceOf(path: string): string {
  const mounts = text('/proc/self/mounts').split('\n').map((line) => line.split(' '));
  const above = mounts.filter(([, at = '']) => path === at || at === '/' || path.startsWith(`${at}/`));
  return above.sort(([, a = ''], [, b = '']) => b.length - a.length)[0]?.[0] ?? '';
}

/** `/dev/sda` for a device by its numbers; the numbers themselves where it has no name. */
function deviceName(major: string, minor: string): string {
  try {
    return `/dev/${basename(readlinkSync(`/sys/dev/block/${major}:${minor}`))}`;
  } catch {
    return `${major}:${minor}`;
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
