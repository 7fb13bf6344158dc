import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Daemon } from '../harness/daemon.ts';
import { below, textOf } from '../harness/files.ts';
import { containerConfig, createContainer, exitOf, podConfig, runPod, runScript, statusOf } from '../harness/pod.ts';

/** One operation, ready to be called: again after a kill, as the kubelet would, and checked once it succeeded. */
export type Prepared = { call(): Promise<unknown>; check(t: ExecutionContext): Promise<void> };

/** Makes what an operation needs, and says how it is called. */
export type Operation = { name: string; prepare(daemon: Daemon): Promise<Prepared> };

const image = 'gcr.io/k8s-staging-cri-tools/test-image-1:latest';
const sleeper = 'trap "exit 0" TERM; while :; do sleep 0.05; done';
const limitBytes = 64 << 20;

export const operations: readonly Operation[] = [
  { name: 'RunPodSandbox', prepare: async (daemon) => running(daemon) },
  { name: 'CreateContainer', prepare: async (daemon) => creating(daemon) },
  { name: 'StartContainer', prepare: async (daemon) => starting(daemon) },
  { name: 'UpdateContainerResources', prepare: async (daemon) => updating(daemon) },
  { name: 'StopContainer', prepare: async (daemon) => stopping(daemon) },
  { name: 'RemoveContainer', prepare: async (daemon) => removing(daemon) },
  { name: 'StopPodSandbox', prepare: async (daemon) => stoppingPod(daemon) },
  { name: 'RemovePodSandbox', prepare: async (daemon) => removingPod(daemon) },
  { name: 'PullImage', prepare: async (daemon) => pulling(daemon) },
  { name: 'RemoveImage', prepare: async (daemon) => removingImage(daemon) },
];

function running(daemon: Daemon): Prepared {
  const config = podConfig(daemon, 'run', { port_mappings: [{ protocol: 0, container_port: 80, host_port: 28_083 }] });
  let id = '';
  return {
    call: async () => (id = (await daemon.cri.call('RunPodSandbox', { config })).pod_sandbox_id),
    check: async (t) => {
      const { items } = await daemon.cri.call('ListPodSandbox', {});
      t.deepEqual(items.map((item) => [item.id, item.state]), [[id, 'SANDBOX_READY']]);
      const container = await runScript(daemon, { id, config }, 'c', 'exit 3');
      t.is((await exitOf(daemon, container)).exit_code, 3);
    },
  };
}

async function creating(daemon: Daemon): Promise<Prepared> {
  const pod = await runPod(daemon, 'create');
  const config = containerConfig('c', ['sh', '-c', 'exit 4']);
  let id = '';
  return {
    call: async () => (id = await createContainer(daemon, pod, config)),
    check: async (t) => {
      t.deepEqual(await listed(daemon), [[id, 'CONTAINER_CREATED']]);
      await daemon.cri.call('StartContainer', { container_id: id });
      t.is((await exitOf(daemon, id)).exit_code, 4);
    },
  };
}

async function starting(daemon: Daemon): Promise<Prepared> {
  const pod = await runPod(daemon, 'start');
  const container_id = await createContainer(daemon, pod, containerConfig('c', ['sh', '-c', sleeper]));
  return {
    // A start that was carried out shows in the next list; the kubelet does not ask for it again.
    call: async () => {
      const { state } = await statusOf(daemon, container_id);
      if (state === 'CONTAINER_CREATED') await daemon.cri.call('StartContainer', { container_id });
    },
    check: async (t) => {
      t.deepEqual(await listed(daemon), [[container_id, 'CONTAINER_RUNNING']]);
      t.not((await statusOf(daemon, container_id)).started_at, '0');
    },
  };
}

async function updating(daemon: Daemon): Promise<Prepared> {
  const container_id = await runScript(daemon, await runPod(daemon, 'update'), 'c', sleeper);
  const linux = { memory_limit_in_bytes: `${limitBytes}`, memory_swap_limit_in_bytes: `${limitBytes}` };
  return {
    call: () => daemon.cri.call('UpdateContainerResources', { container_id, linux }),
    check: async (t) => {
      const paths = ['memory/', ''].map((hierarchy) => `/sys/fs/cgroup/${hierarchy}${daemon.cgroupParent}/crio-${container_id}`);
      const limits = paths.flatMap((path) => ['memory.limit_in_bytes', 'memory.max'].map((name) => textOf(join(path, name)).trim()));
      t.true(limits.includes(`${limitBytes}`), limits.join());
      const { resources } = await statusOf(daemon, container_id);
      t.is(resources?.linux?.['memory_limit_in_bytes'], `${limitBytes}`);
    },
  };
}

async function stopping(daemon: Daemon): Promise<Prepared> {
  const container_id = await runScript(daemon, await runPod(daemon, 'stop'), 'c', `echo up; ${sleeper}`);
  return {
    call: () => daemon.cri.call('StopContainer', { container_id, timeout: 10 }),
    check: async (t) => void t.deepEqual(await listed(daemon), [[container_id, 'CONTAINER_EXITED']]),
  };
}

async function removing(daemon: Daemon): Promise<Prepared> {
  const container_id = await runScript(daemon, await runPod(daemon, 'remove'), 'c', sleeper);
  return {
    call: () => daemon.cri.call('RemoveContainer', { container_id }),
    check: async (t) => {
      t.deepEqual(await listed(daemon), []);
      t.false(existsSync(join(daemon.root, 'containers', container_id)));
    },
  };
}

async function stoppingPod(daemon: Daemon): Promise<Prepared> {
  const pod = await runPod(daemon, 'stop-pod');
  const container_id = await runScript(daemon, pod, 'c', sleeper);
  return {
    call: () => daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id }),
    check: async (t) => {
      t.deepEqual(await listed(daemon), [[container_id, 'CONTAINER_EXITED']]);
      const { items } = await daemon.cri.call('ListPodSandbox', {});
      t.deepEqual(items.map((item) => [item.id, item.state]), [[pod.id, 'SANDBOX_NOTREADY']]);
      t.deepEqual(readdirSync(daemon.network.addressDirectory).filter((name) => /^\d+\./.test(name)), []);
    },
  };
}

async function removingPod(daemon: Daemon): Promise<Prepared> {
  const pod = await runPod(daemon, 'remove-pod');
  await runScript(daemon, pod, 'c', sleeper);
  return {
    call: () => daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id }),
    check: async (t) => {
      t.deepEqual(await listed(daemon), []);
      t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
      t.deepEqual(below('/sys/fs/cgroup').map(({ path }) => path).filter((path) => path.includes(daemon.cgroupParent)), []);
    },
  };
}

async function pulling(daemon: Daemon): Promise<Prepared> {
  await daemon.cri.call('RemoveImage', { image: { image } });
  return {
    call: () => daemon.cri.call('PullImage', { image: { image } }),
    check: async (t) => {
      const { images } = await daemon.cri.call('ListImages', {});
      t.is(images.filter((one) => one.repo_tags.includes(image)).length, 1);
      const pod = await runPod(daemon, 'pulled');
      const container = await runScript(daemon, pod, 'c', 'exit 5', { image: { image } });
      t.is((await exitOf(daemon, container)).exit_code, 5);
      await daemon.cri.call('RemoveContainer', { container_id: container });
      await daemon.cri.call('RemoveImage', { image: { image } });
    },
  };
}

async function removingImage(daemon: Daemon): Promise<Prepared> {
  await daemon.cri.call('PullImage', { image: { image } });
  return {
    call: () => daemon.cri.call('RemoveImage', { image: { image } }),
    check: async (t) => {
      t.is((await daemon.cri.call('ImageStatus', { image: { image } })).image, null);
      const { images } = await daemon.cri.call('ListImages', {});
      t.is(images.length, 1, 'another image than busybox is there');
    },
  };
}

async function listed(daemon: Daemon): Promise<[string, string][]> {
  const { containers } = await daemon.cri.call('ListContainers', {});
  return containers.map(({ id, state }) => [id, state]);
}
