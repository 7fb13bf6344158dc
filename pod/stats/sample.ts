import type { CgroupSample, InterfaceSample } from '../../api/engine.ts';
import { containerCgroup } from '../container/plan.ts';
import type { PodContext } from '../context.ts';
import { cgroupDirs } from '../../host/cgroup.ts';
import { containerPaths } from '../paths.ts';
import type { Container, Sandbox } from '../record.ts';
import { counterRates } from './rate.ts';
import { type LayerUsage, writableLayers } from './writable.ts';

/** A container's counters at one moment; `nanoCores` is its use of processors since an earlier moment. */
export type ContainerSample = { container: Container; cgroup: CgroupSample; nanoCores: bigint; layer: LayerUsage };

/** A pod's counters: those of its own cgroup, which holds its containers, and of its network. */
export type PodSample = {
  sandbox: Sandbox;
  cgroup: CgroupSample | undefined;
  nanoCores: bigint;
  interfaces: InterfaceSample[];
  containers: ContainerSample[];
};

/** Reads counters, all that one request wants in one call of the engine; what has vanished is left out. */
export type Sampler = {
  containers(asked: Container[]): Promise<ContainerSample[]>;
  pods(asked: Sandbox[]): Promise<PodSample[]>;
};

/** True while the shim is in a network namespace of the pod's own. */
function ownNetwork({ namespaces, state, networkReleased }: Sandbox): boolean {
  return namespaces.network === 'POD' && state === 'ready' && !networkReleased;
}

/** A sampler with no past: the first rates are 0. */
export function sampler(context: PodContext): Sampler {
  const rates = counterRates();
  const layers = writableLayers(context.engine, context.log);

  const forget = (): void => {
    const alive = new Set([...context.store.containers.all(), ...context.store.sandboxes.all()].map((one) => one.id));
    rates.keep(alive);
    layers.keep(alive);
  };
  const group = (container: Container) => ({ id: container.id, dirs: containerCgroup(context, container) });
  const nanoCores = (sample: CgroupSample): bigint =>
    rates.perSecond(sample.id, { atNs: BigInt(sample.atNs), value: BigInt(sample.cpuUsageNs) });
  const join = (asked: Container[], samples: Map<string, CgroupSample>): ContainerSample[] => {
    const usage = layers.usage(new Map(asked.map((one) => [one.id, containerPaths(context.roots, one.id).upper])));
    return asked.flatMap((container) => {
      const cgroup = samples.get(container.id);
      const layer = usage.get(container.id);
      return cgroup && layer ? [{ container, cgroup, nanoCores: nanoCores(cgroup), layer }] : [];
    });
  };

  return {
    async containers(asked) {
      const { groups } = await context.engine.call('sample', { groups: asked.map(group), networks: [] });
      forget();
      return join(asked, new Map(groups.map((sample) => [sample.id, sample])));
    },
    async pods(asked) {
      const containers = asked.flatMap((sandbox) => context.store.containersOf(sandbox.id)).filter((one) => one.state === 'running');
      const pods = asked.map((one) => ({ id: one.id, dirs: cgroupDirs(context.cgroup.host, one.cgroupParent) }));
      const { groups, networks } = await context.engine.call('sample', {
        groups: [...pods, ...containers.map(group)],
        networks: asked.filter(ownNetwork).map((one) => ({ id: one.id, pid: one.shimPid })),
      });
      forget();
      const samples = new Map(groups.map((sample) => [sample.id, sample]));
      const joined = join(containers, samples);
      return asked.map((sandbox) => {
        const cgroup = samples.get(sandbox.id);
        return {
          sandbox,
          cgroup,
          nanoCores: cgroup ? nanoCores(cgroup) : 0n,
          interfaces: networks.find((one) => one.id === sandbox.id)?.interfaces ?? [],
          containers: joined.filter((one) => one.container.sandboxId === sandbox.id),
        };
      });
    },
  };
}
