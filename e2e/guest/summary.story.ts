import test from 'ava';
import { until } from '../harness/process.ts';
import { endPods, isReady, nodeStory } from '../kubelet/stage.ts';
import { web } from '../kubelet/pods.ts';
import { systemd } from './cgroup.ts';

type Cpu = { usageNanoCores?: number; usageCoreNanoSeconds?: number };
type Memory = { workingSetBytes?: number; rssBytes?: number };
type Summary = {
  readonly pods: readonly {
    readonly podRef: { readonly name: string };
    readonly cpu?: Cpu;
    readonly memory?: Memory;
    readonly network?: { readonly name: string; readonly rxBytes?: number; readonly txBytes?: number };
    readonly containers: readonly { readonly name: string; readonly cpu?: Cpu; readonly memory?: Memory; readonly rootfs?: { usedBytes?: number } }[];
  }[];
};

/**
 * Without isolation the kubelet does not look at file systems, and has no summary at all. With the cgroupfs driver it looks
 * for the network of a pod in a cgroup that is named as containerd names it (`extractIDFromCgroupPath`), so there it is
 * made to ask the runtime.
 */
const stage = nodeStory({ localStorageCapacityIsolation: true, ...(systemd ? {} : { featureGates: { PodAndContainerStatsFromCRI: true } }) });
if (!systemd) console.log("the cgroup driver is cgroupfs: the kubelet's summary is told by PodSandboxStats, as its own has no network there");

test("the kubelet's summary has CPU, memory and network of a pod and CPU, memory and disk of its containers", async (t) => {
  const { kubelet } = stage();
  kubelet.addPod(web);
  await kubelet.pod('web', 'is ready', isReady);
  let pod: Summary['pods'][number] | undefined;
  const complete = async (): Promise<boolean> => {
    const { pods } = JSON.parse(await kubelet.get('/stats/summary')) as Summary;
    pod = pods.find(({ podRef }) => podRef.name.startsWith('web'));
    const measured = [pod, ...(pod?.containers ?? [])];
    const counted = pod?.containers.every(({ rootfs }) => rootfs?.usedBytes !== undefined) === true;
    // The figures of a pod are older than those of its containers.
    const sum = pod?.containers.reduce((bytes, { memory }) => bytes + Number(memory?.workingSetBytes), 0);
    const holds = Number(pod?.memory?.workingSetBytes) >= Number(sum) / 2;
    return pod?.network !== undefined && counted && holds && measured.length === 3 && measured.every((each) => Number(each?.cpu?.usageNanoCores) > 0 && Number(each?.memory?.workingSetBytes) > 0);
  };
  await until(complete, 90_000, 'the summary to have all of the pod').catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; it has ${JSON.stringify(pod)}`, { cause: error });
  });
  t.is(pod?.network?.name, 'eth0');
  t.true(Number(pod?.network?.rxBytes) > 0 && Number(pod?.network?.txBytes) > 0);
  t.deepEqual(pod?.containers.map(({ name }) => name).sort(), ['server', 'worker']);
  await endPods(stage(), [web]);
});
