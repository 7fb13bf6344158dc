import { rmSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { type Pod, podConfig } from '../harness/pod.ts';
import { podPlan } from './choice.ts';
import { runContainer } from './container.ts';
import { codeOf, count, type Home, type LivePod, persist, problem, type Soak } from './soak.ts';

/** Pods in one home, one after the other, each with containers one after the other, until the soak is over. */
export async function inhabit(soak: Soak, home: Home): Promise<void> {
  while (!soak.over) {
    const plan = podPlan(soak.random, home.stays);
    const pod = await run(soak, home, plan.hostPort);
    const live: LivePod = { id: pod.id, shimKilled: false, stopped: false, running: undefined };
    home.pod = live;
    try {
      for (let attempt = 0; attempt < plan.attempts && !soak.over; attempt++) {
        if (!(await runContainer(soak, pod, live, attempt, plan.cut && attempt === plan.attempts - 1))) break;
      }
      await verifyReady(soak, pod, live);
    } catch (error) {
      problem(soak, `pod ${pod.id} in ${home.name}: ${(error as Error).stack ?? String(error)}`);
    }
    home.pod = undefined;
    await remove(soak, pod.id).catch((error: unknown) => problem(soak, `pod ${pod.id} cannot be removed: ${String(error)}`));
    rmSync(pod.config.log_directory, { recursive: true, force: true });
    count(soak, 'pods');
  }
}

/** RunPodSandbox until there is one; one that was lost while it was made is removed, and another made. */
async function run(soak: Soak, { name, hostPort }: Home, mapped: boolean): Promise<Pod> {
  const more = mapped ? { port_mappings: [{ protocol: 0, container_port: 80, host_port: hostPort }] } : {};
  for (;;) {
    const config = podConfig(soak.daemon, name, more);
    try {
      const { pod_sandbox_id: id } = await persist(soak, 'RunPodSandbox', { config }, [status.ALREADY_EXISTS]);
      return { id, config };
    } catch (error) {
      if (codeOf(error) !== status.ALREADY_EXISTS) throw error;
      const { items } = await persist(soak, 'ListPodSandbox', {});
      for (const item of items) if (item.metadata.uid === config.metadata.uid) await remove(soak, item.id);
    }
  }
}

async function remove(soak: Soak, pod_sandbox_id: string): Promise<void> {
  await persist(soak, 'StopPodSandbox', { pod_sandbox_id });
  await persist(soak, 'RemovePodSandbox', { pod_sandbox_id });
}

/** A pod that nobody has stopped, whose shim was left alone, is ready. */
async function verifyReady(soak: Soak, pod: Pod, live: LivePod): Promise<void> {
  if (live.shimKilled || live.stopped) return;
  const { status: told } = await persist(soak, 'PodSandboxStatus', { pod_sandbox_id: pod.id });
  if (told.state !== 'SANDBOX_READY' && !live.shimKilled) problem(soak, `pod ${pod.id} is ${told.state}, and nobody stopped it`);
}
