import type { CgroupSample, InterfaceSample } from '../../api/engine.ts';
import { containerCgroupPath } from '../container/plan.ts';
import type { PodContext } from '../context.ts';
import { containerPaths } from '../paths.ts';
import type { Container, Sandbox } from '../record.ts';
import { insideCounters } from './inside.ts';
import { counterRates } from './rate.ts';
import { summed } from './sum.ts';
import type { LayerUsage, WritableLayers } from './writable.ts';

/** A container's counters at one moment; `nanoCores` is its use of processors since an earlier moment, `layer` is unknown before its first count. */
export type ContainerSample = { container: Container; cgroup: CgroupSample; nanoCores: bigint; layer: LayerUsage | undefined };

/** A pod's counters: those of its own cgroup, which holds its containers, or else their sum; those of its network are null when it has none of its own. */
export type PodSample = {
  sandbox: Sandbox;
  cgroup: CgroupSample | undefined;
  nanoCores: bigint;
  interfaces: InterfaceSample[] | null;
  containers: ContainerSample[];
};

/** Reads counters, all that one request wants in one call of the engine; what has vanished is left out. */
export type Sampler = {
  containers(asked: Container[]): Promise<ContainerSample[]>;
  pods(asked: Sandbox[]): Promise<PodSample[]>;
};

/** A sampler with no past: the first rates are those since the start. */
export function sampler(context: PodContext, layers: WritableLayers): Sampler {
  const rates = counterRates();
  const { mounts } = context.cgroup.host;

  const forget = (): void => {
    const { containers, sandboxes } = context.store;
    const alive = { has: (id: string): boolean => containers.get(id) !== undefined || sandboxes.get(id) !== undefined };
    rates.keep(alive);
    layers.keep(alive);
  };
  const group = (container: Container) => ({ id: container.id, path: containerCgroupPath(context, container) });
  const nanoCores = (sample: CgroupSample, bornNs: string): bigint =>
    rates.perSecond(sample.id, { atNs: BigInt(sample.monotonicNs), value: BigInt(sample.cpuUsageNs) }, BigInt(sample.atNs) - BigInt(bornNs));
  const join = async (asked: Container[], samples: Map<string, CgroupSample>): Promise<ContainerSample[]> => {
    const [usage, inside] = await Promise.all([
      layers.usage(new Map(asked.map((one) => [one.id, containerPaths(context.roots, one.id).upper]))),
      insideCounters(context, asked),
    ]);
    return asked.flatMap((container) => {
      const outside = samples.get(container.id);
      if (!outside) return [];
      const cgroup = { ...outside, ...inside.get(container.id) };
      return [{ container, cgroup, nanoCores: nanoCores(cgroup, container.createdAtNs), layer: usage.get(container.id) }];
    });
  };

  return {
    async containers(asked) {
      const { groups } = await context.engine.call('sample', { mounts, groups: asked.map(group), networks: [] });
      forget();
      return join(asked, new Map(groups.map((sample) => [sample.id, sample])));
    },
    async pods(asked) {
      const containers = asked.flatMap((sandbox) => context.store.containersOf(sandbox.id)).filter((one) => one.state === 'running');
      const own = asked.filter((one) => ownsItsCgroup(context, one)).map((one) => ({ id: one.id, path: one.cgroupParent }));
      const { groups, networks } = await context.engine.call('sample', {
        mounts,
        groups: [...own, ...containers.map(group)],
        networks: asked.filter(ownNetwork).map((one) => ({ id: one.id, pid: one.shimPid })),
      });
      forget();
      const samples = new Map(groups.map((sample) => [sample.id, sample]));
      const joined = await join(containers, samples);
      return asked.map((sandbox) => {
        const inside = joined.filter((one) => one.container.sandboxId === sandbox.id);
        const cgroup = samples.get(sandbox.id) ?? summed(sandbox.id, inside.map((one) => one.cgroup));
        return {
          sandbox,
          cgroup,
          nanoCores: cgroup ? nanoCores(cgroup, sandbox.createdAtNs) : 0n,
          interfaces: networks.find((one) => one.id === sandbox.id)?.interfaces ?? null,
          containers: inside,
        };
      });
    },
  };
}

/** True while the shim is in a network namespace of the pod's own. */
function ownNetwork({ namespaces, state, networkReleased }: Sandbox): boolean {
  return namespaces.network === 'POD' && state === 'ready' && !networkReleased;
}

/** The kubelet gives each pod a cgroup of its own; other clients may put many into one, which then tells of no one pod. */
function ownsItsCgroup(context: PodContext, { id, cgroupParent }: Sandbox): boolean {
  const others = [...context.store.sandboxes.all()].filter((other) => other.id !== id && other.state !== 'stopped');
  return others.every((other) => other.cgroupParent !== cgroupParent && !other.cgroupParent.startsWith(`${cgroupParent}/`));
}
