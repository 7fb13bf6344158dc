import { type ContainerAttributes, type ContainerStats, type ContainerStatsFilter, type Draft, encode, encodedList, type PodSandboxStats, type PodSandboxStatsFilter } from '../api/cri.ts';
import type { CgroupSample, InterfaceSample, Pressure } from '../api/engine.ts';
import { RuntimeError } from '../api/errors.ts';
import { wallClockNs } from '../host/clock.ts';
import { knownContainer } from '../pod/container/start.ts';
import type { PodContext } from '../pod/context.ts';
import type { Container, Sandbox } from '../pod/record.ts';
import { type ContainerSample, type PodSample, sampler } from '../pod/stats/sample.ts';
import type { WritableLayers } from '../pod/stats/writable.ts';
import { streamedList, wholeList } from './batches.ts';
import { hasId, hasLabels } from './filter.ts';
import { knownSandbox } from '../pod/sandbox/known.ts';
import type { RuntimeHandlers } from './server.ts';

/** The rpcs that read counters. */
export function statsHandlers(context: PodContext, layers: WritableLayers): RuntimeHandlers {
  const sample = sampler(context, layers);
  const containers = async (filter: ContainerStatsFilter | null): Promise<Buffer[]> => {
    const asked = [...context.store.containers.all()].filter((one) => one.state === 'running' && containerMatches(one, filter));
    return (await sample.containers(asked)).map((one) => listItem(context, one));
  };
  const pods = async (filter: PodSandboxStatsFilter | null): Promise<Buffer[]> => {
    const asked = [...context.store.sandboxes.all()].filter((one) => one.state === 'ready' && podMatches(one, filter));
    return (await sample.pods(asked)).map((one) => encode('PodSandboxStats', podStats(context, one)));
  };
  return {
    ContainerStats: async (request) => {
      const container = knownContainer(context, request.container_id);
      if (container.state === 'exited') {
        throw new RuntimeError('wrong-state', `container ${container.id} is exited: its counters have ended with it`);
      }
      const [found] = await sample.containers([container]);
      if (!found) throw new RuntimeError('not-found', `container ${container.id} has no cgroup to read any more`);
      return { stats: containerStats(context, found) };
    },
    ListContainerStats: async ({ filter }) => wholeList(await containers(filter)),
    StreamContainerStats: async function* ({ filter }) {
      yield* streamedList(await containers(filter));
    },
    PodSandboxStats: async (request) => {
      const sandbox = knownSandbox(context, request.pod_sandbox_id);
      const [found] = await sample.pods([sandbox]);
      return { stats: found ? podStats(context, found) : null };
    },
    ListPodSandboxStats: async ({ filter }) => wholeList(await pods(filter)),
    StreamPodSandboxStats: async function* ({ filter }) {
      yield* streamedList(await pods(filter));
    },
  };
}

function containerMatches(container: Container, filter: ContainerStatsFilter | null): boolean {
  if (!filter) return true;
  return (
    hasId(container.id, filter.id) &&
    hasId(container.sandboxId, filter.pod_sandbox_id) &&
    hasLabels(container.labels, filter.label_selector)
  );
}

function podMatches(sandbox: Sandbox, filter: PodSandboxStatsFilter | null): boolean {
  return !filter || (hasId(sandbox.id, filter.id) && hasLabels(sandbox.labels, filter.label_selector));
}

const encodedAttributes = new WeakMap<Container, Buffer>();

/** The container's entry of a list: its attributes, field 1, are encoded once for each record, as a record never changes. */
function listItem(context: PodContext, one: ContainerSample): Buffer {
  const { container } = one;
  const ready = encodedAttributes.get(container) ?? encodedList([encode('ContainerAttributes', attributes(container))]);
  encodedAttributes.set(container, ready);
  return Buffer.concat([ready, encode('ContainerStats', figures(context, one))]);
}

function containerStats(context: PodContext, one: ContainerSample): Draft<ContainerStats> {
  return { attributes: attributes(one.container), ...figures(context, one) };
}

function attributes({ id, name, attempt, labels, annotations }: Container): Draft<ContainerAttributes> {
  return { id, metadata: { name, attempt }, labels, annotations };
}

function figures(context: PodContext, { cgroup, nanoCores, layer }: ContainerSample): Draft<ContainerStats> {
  return {
    cpu: cpu(cgroup, nanoCores),
    memory: memory(cgroup),
    swap: {
      timestamp: cgroup.atNs,
      swap_usage_bytes: { value: cgroup.swapUsageBytes },
      swap_available_bytes: { value: left(cgroup.swapLimitBytes, BigInt(cgroup.swapUsageBytes)) },
    },
    writable_layer: layer
      ? {
          timestamp: `${layer.atNs}`,
          fs_id: { mountpoint: `${context.roots.root}/containers` },
          used_bytes: { value: `${layer.bytes}` },
          inodes_used: { value: `${layer.inodes}` },
        }
      : null,
    io: io(cgroup),
  };
}

function podStats(context: PodContext, { sandbox, cgroup, nanoCores, interfaces, containers }: PodSample): Draft<PodSandboxStats> {
  const { id, name, uid, namespace, attempt, labels, annotations } = sandbox;
  const timestamp = cgroup?.atNs ?? `${wallClockNs()}`;
  return {
    attributes: { id, metadata: { name, uid, namespace, attempt }, labels, annotations },
    linux: {
      cpu: cgroup ? cpu(cgroup, nanoCores) : null,
      memory: cgroup ? memory(cgroup) : null,
      network: interfaces ? { timestamp, ...network(interfaces) } : null,
      process: { timestamp, process_count: { value: cgroup?.pids ?? '0' } },
      containers: containers.map((one) => containerStats(context, one)),
      io: cgroup ? io(cgroup) : null,
    },
  };
}

/** The interface that a pod has by default, and its further ones. */
function network(interfaces: InterfaceSample[]) {
  const main = interfaces.find((one) => one.name === 'eth0') ?? interfaces[0];
  const usage = ({ name, rxBytes, rxErrors, txBytes, txErrors }: InterfaceSample) => ({
    name,
    rx_bytes: { value: rxBytes },
    rx_errors: { value: rxErrors },
    tx_bytes: { value: txBytes },
    tx_errors: { value: txErrors },
  });
  return {
    default_interface: main ? usage(main) : null,
    interfaces: interfaces.filter((one) => one !== main).map(usage),
  };
}

function cpu(sample: CgroupSample, nanoCores: bigint) {
  return {
    timestamp: sample.atNs,
    usage_core_nano_seconds: { value: sample.cpuUsageNs },
    usage_nano_cores: { value: `${nanoCores}` },
    psi: psi(sample.pressure?.cpu),
  };
}

function memory(sample: CgroupSample) {
  return {
    timestamp: sample.atNs,
    working_set_bytes: { value: sample.workingSetBytes },
    available_bytes: { value: left(sample.memoryLimitBytes, BigInt(sample.workingSetBytes)) },
    usage_bytes: { value: sample.memoryUsageBytes },
    rss_bytes: { value: sample.rssBytes },
    page_faults: { value: sample.pageFaults },
    major_page_faults: { value: sample.majorPageFaults },
    psi: psi(sample.pressure?.memory),
  };
}

function io(sample: CgroupSample) {
  return sample.pressure ? { timestamp: sample.atNs, psi: psi(sample.pressure.io) } : null;
}

/** Pressure as the CRI tells it, PsiStats: the kernel counts stalls in microseconds, the CRI in nanoseconds. */
export function psi(pressure: Pressure | undefined) {
  if (!pressure) return null;
  const data = ({ total, avg10, avg60, avg300 }: Pressure['some']) => ({
    Total: `${BigInt(total) * 1000n}`, Avg10: avg10, Avg60: avg60, Avg300: avg300,
  });
  return { Full: data(pressure.full), Some: data(pressure.some) };
}

/** What is left of a limit; 0 where there is none (CRI MemoryUsage.available_bytes). */
function left(limit: string, used: bigint): string {
  const rest = BigInt(limit) - used;
  return limit === '0' || rest < 0n ? '0' : `${rest}`;
}
