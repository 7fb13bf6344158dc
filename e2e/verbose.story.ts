import { readFileSync, readlinkSync } from 'node:fs';
import test from 'ava';
import { busybox, containerConfig, createContainer, exitOf, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story({ daemon: { args: ['--nats-url', 'nats://user:secret@127.0.0.1:1'] } });

/** The JSON text under one key of a reply's `info`. */
const read = (info: Record<string, string>, key = 'info') => JSON.parse(info[key] ?? '{}') as Record<string, unknown>;
type Spec = { annotations: Record<string, string>; linux: { namespaces: { type: string; path?: string }[]; cgroupsPath?: string }; process: { args: string[] } };

test("verbose Status has the configuration, with kubeadm's and critest's keys and without secrets", async (t) => {
  const { daemon } = stage();
  const { info } = await daemon.cri.call('Status', { verbose: true });
  t.like(read(info, 'config'), { stateDir: daemon.state, sandboxImage: '', root: daemon.root });
  t.notRegex(info['config'] ?? '', /secret/);
});

test("verbose PodSandboxStatus has CRI-O's keys: image, pid, and the pod as a runtimeSpec with its network", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'shown', { hostname: 'shown-host' });
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const { status, info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  const { image, pid, runtimeSpec, cniResult } = read(info);
  t.is(image, '');
  t.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'berth-shim\n');
  const { annotations, linux } = runtimeSpec as Spec;
  t.like(annotations, {
    'io.kubernetes.cri-o.ContainerType': 'sandbox',
    'io.kubernetes.cri-o.SandboxID': pod.id,
    'io.kubernetes.pod.uid': pod.config.metadata.uid,
    'io.kubernetes.cri-o.IP.0': status.network?.ip,
    'io.kubernetes.cri-o.HostNetwork': 'false',
  });
  t.deepEqual(JSON.parse(annotations['io.kubernetes.cri-o.CNIResult'] ?? ''), cniResult);
  t.like(runtimeSpec as object, { hostname: 'shown-host' });
  const container = read((await daemon.cri.call('ContainerStatus', { container_id: id, verbose: true })).info);
  for (const type of ['uts', 'ipc']) {
    const path = linux.namespaces.find((one) => one.type === type)?.path ?? '';
    t.is(readlinkSync(path), readlinkSync(`/proc/${container['pid']}/ns/${type}`), type);
  }
  t.true(linux.namespaces.some((one) => one.type === 'network' && (one.path ?? '').endsWith(pod.id)));
});

test("verbose ContainerStatus has CRI-O's keys: sandboxID, pid, runtimeSpec, privileged", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'inspected', {
    linux: { cgroup_parent: daemon.cgroupParent, security_context: { privileged: true, namespace_options: { pid: 1 } } },
  });
  const infoOf = async (container_id: string) => read((await daemon.cri.call('ContainerStatus', { container_id, verbose: true })).info);
  const plain = await runScript(daemon, pod, 'plain', 'sleep 1000');
  const shown = await infoOf(plain);
  t.like(shown, { sandboxID: pod.id, privileged: false });
  t.true(readFileSync(`/proc/${shown['pid']}/cgroup`, 'utf8').includes(`crio-${plain}`));
  t.deepEqual((shown['runtimeSpec'] as Spec).process.args, ['sh', '-c', 'sleep 1000']);
  const privileged = { linux: { security_context: { privileged: true, namespace_options: { pid: 1 } } } };
  t.like(await infoOf(await createContainer(daemon, pod, containerConfig('all', ['true'], privileged))), { privileged: true });
  const ended = await runScript(daemon, pod, 'ended', 'true');
  await exitOf(daemon, ended);
  t.like(await infoOf(ended), { pid: 0 }, 'the number may be that of another process by now');
});

test("verbose ImageStatus has CRI-O's imageSpec and labels, and the chain of the layers", async (t) => {
  const { daemon } = stage();
  const { info } = await daemon.cri.call('ImageStatus', { image: { image: busybox }, verbose: true });
  const { imageSpec, labels, chainID } = read(info) as { imageSpec: { os: string; config: object; rootfs: { diff_ids: string[] } }; labels: object; chainID: string };
  t.is(imageSpec.os, 'linux');
  t.deepEqual(labels, {});
  t.regex(chainID, /^sha256:[0-9a-f]{64}$/);
  t.is(imageSpec.rootfs.diff_ids.length > 1, chainID !== imageSpec.rootfs.diff_ids[0]);
});

test('what is not asked for verbosely has no info', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'brief');
  const container_id = await createContainer(daemon, pod, containerConfig('c', ['true']));
  const replies = [
    await daemon.cri.call('Status', {}),
    await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id }),
    await daemon.cri.call('ContainerStatus', { container_id }),
    await daemon.cri.call('ImageStatus', { image: { image: busybox } }),
  ];
  for (const { info } of replies) t.deepEqual(info, {});
});
