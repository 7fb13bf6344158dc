import { decode, type Draft, encode, encodedList, type Metric, type MetricDescriptor, type PodSandboxMetrics } from '../api/cri.ts';
import type { InterfaceSample } from '../api/engine.ts';
import { containerCgroupPath } from '../pod/container/plan.ts';
import type { PodContext } from '../pod/context.ts';
import { containerPaths } from '../pod/paths.ts';
import type { Container, Sandbox } from '../pod/record.ts';
import { type ContainerMeasure, countingHost, measure } from '../pod/stats/measure.ts';
import { containerFamilies, type Family } from '../pod/stats/metric-families.ts';
import { networkFamilies } from '../pod/stats/network-families.ts';
import type { WritableLayers } from '../pod/stats/writable.ts';
import { streamedList } from './batches.ts';
import type { RuntimeHandlers } from './server.ts';

/** Labels of every series, as cAdvisor names them; a pod's own series have the container `POD`. */
const LABELS = ['container', 'id', 'image', 'name', 'namespace', 'pod'];

/** The rpcs of the metrics that take the place of the kubelet's /metrics/cadvisor. What is described is what is sent. */
export function metricHandlers(context: PodContext, layers: WritableLayers): RuntimeHandlers {
  const families = containerFamilies(countingHost(context));
  const pods = async (): Promise<Buffer[]> => {
    const sandboxes = [...context.store.sandboxes.all()].filter((one) => one.state === 'ready');
    const containers = [...context.store.containers.all()].filter((one) => one.state === 'running');
    const usage = await layers.usage(new Map(containers.map((one) => [one.id, containerPaths(context.roots, one.id).upper])));
    const own = sandboxes.filter((one) => one.namespaces.network === 'POD' && !one.networkReleased);
    const found = await measure(context, families, { sandboxes: own, containers, layers: usage });
    return sandboxes.map((sandbox) => {
      const inside = containers.filter((one) => one.sandboxId === sandbox.id);
      const metrics: Draft<PodSandboxMetrics> = {
        pod_sandbox_id: sandbox.id,
        metrics: networkMetrics(sandbox, found.interfaces.get(sandbox.id) ?? []),
        container_metrics: inside.flatMap((one) => {
          const measured = found.containers.get(one.id);
          return measured ? [{ container_id: one.id, metrics: containerMetrics(labelsOf(context, sandbox, one), measured) }] : [];
        }),
      };
      return encode('PodSandboxMetrics', metrics);
    });
  };
  return {
    ListMetricDescriptors: async () => ({ descriptors: descriptors(families) }),
    ListPodSandboxMetrics: async () => encodedList(await pods()),
    StreamPodSandboxMetrics: async function* () {
      yield* streamedList(await pods());
    },
  };
}

function descriptors(families: Family[]): Draft<MetricDescriptor>[] {
  return [
    ...families.map(({ name, help, labels }) => ({ name, help, label_keys: [...LABELS, ...labels] })),
    ...networkFamilies.map(({ name, help }) => ({ name, help, label_keys: [...LABELS, 'interface'] })),
  ];
}

/** Values of `LABELS` for a container. */
function labelsOf(context: PodContext, sandbox: Sandbox, container: Container): string[] {
  const image = decode('ContainerConfig', container.config).image;
  const shown = image?.user_specified_image || image?.image || container.imageRef;
  return [container.name, containerCgroupPath(context, container), shown, container.id, sandbox.namespace, sandbox.name];
}

/** Values are read now, so that they carry no time (0: live). */
function containerMetrics(labels: string[], { families, of }: ContainerMeasure): Draft<Metric>[] {
  return families.flatMap(({ name, type, rows }) =>
    rows(of).map(([own, value]) => ({
      name, metric_type: type, timestamp: '0', label_values: [...labels, ...own], value: { value: `${value}` },
    })),
  );
}

function networkMetrics(sandbox: Sandbox, interfaces: InterfaceSample[]): Draft<Metric>[] {
  const labels = ['POD', sandbox.cgroupParent, '', sandbox.id, sandbox.namespace, sandbox.name];
  return networkFamilies.flatMap(({ name, value }) =>
    interfaces.map((each) => ({
      name, metric_type: 'COUNTER' as const, timestamp: '0', label_values: [...labels, each.name], value: { value: value(each) },
    })),
  );
}
