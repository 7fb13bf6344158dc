import { join } from 'node:path';
import test from 'ava';
import { repository } from '../harness/paths.ts';
import { removePod } from '../harness/pod.ts';
import { until } from '../harness/process.ts';
import { story, type Stage } from '../harness/story.ts';
import { unexplained } from './errors.ts';
import { startKubelet, type Kubelet } from './kubelet.ts';
import type { Pod, StaticPod } from './pods.ts';

/** The shipped configuration, with its drop-ins beside it: a cAdvisor socket where the kubelet looks for CRI-O's. */
const configuration = join(repository, 'manifests/berth.toml');

/** A daemon with a kubelet on it. */
export type Node = Stage & { readonly kubelet: Kubelet };

/**
 * Sets the stage of a story file as `story` does, and a kubelet with `settings` added to its configuration. Pods stay
 * from one test to the next; they are the kubelet's.
 */
export function nodeStory(settings: object = {}): () => Node {
  let kubelet: Kubelet | undefined;
  test.after.always('the kubelet is gone', async () => {
    await kubelet?.kill();
    kubelet?.discard();
  });
  const stage = story({ images: [], keepPods: true, daemon: { args: ['--config', configuration] } });
  test.before('the kubelet starts', async (t) => {
    t.timeout(120_000);
    kubelet = await startKubelet(stage().daemon, settings);
  });
  return () => {
    if (kubelet === undefined) throw new Error('the kubelet did not start');
    return { ...stage(), kubelet };
  };
}

/**
 * Takes the pods away as an administrator does and ends the kubelet; returns the errors in its log. Ended pods are
 * removed as the kubelet's garbage collection would, which comes only once a minute.
 */
export async function endPods(node: Node, pods: readonly StaticPod[]): Promise<string[]> {
  const { daemon, kubelet } = node;
  await noteIds(node);
  for (const pod of pods) kubelet.removePod(pod.metadata.name);
  const ended = async (): Promise<boolean> => {
    const { items } = await daemon.cri.call('ListPodSandbox', {});
    return items.every((pod) => pod.state === 'SANDBOX_NOTREADY') && kubelet.podCgroups().length === 0;
  };
  await until(ended, 120_000, 'the pods to end');
  await kubelet.stop();
  for (const { id } of (await daemon.cri.call('ListPodSandbox', {})).items) await removePod(daemon, id);
  kubelet.discard();
  return unexplained(kubelet.log());
}

/** Pods and containers that the kubelet made count as the daemon's when leaks are looked for. */
export async function noteIds({ daemon }: Stage): Promise<void> {
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  const { containers } = await daemon.cri.call('ListContainers', {});
  for (const { id } of [...items, ...containers]) daemon.cri.ids.add(id);
}

/** True for a pod that runs and passes its readiness probes. */
export function isReady(pod: Pod): boolean {
  return pod.status.phase === 'Running' && pod.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** How often each container was started again. */
export function restartsOf(pod: Pod): number[] {
  return pod.status.containerStatuses?.map((each) => each.restartCount) ?? [];
}
