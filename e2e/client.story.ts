import { chmodSync } from 'node:fs';
import test from 'ava';
import { busybox, containerConfig, createContainer, podConfig, runPod, runScript, statusOf } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story({ daemon: { args: ['--pinned-images', 'registry.k8s.io/pause:*'] } });

test("every reply has what the kubelet's client refuses to go without", async (t) => {
  const { daemon } = stage();
  const { call } = daemon.cri;
  const { version, runtime_name, runtime_version, runtime_api_version } = await call('Version', {});
  for (const part of [version, runtime_name, runtime_version, runtime_api_version]) t.not(part, '');
  t.true((await call('Status', {})).status.conditions.length >= 2);
  t.not((await call('PullImage', { image: { image: busybox } })).image_ref, '');
  const image = (await call('ImageStatus', { image: { image: busybox } })).image;
  t.true(image !== null && image.id !== '' && image.size !== '0');

  const pod = await runPod(daemon, 'checked');
  const { status } = await call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  t.like(status, { id: pod.id, metadata: pod.config.metadata });
  t.not(status.created_at, '0');
  const container = await statusOf(daemon, await createContainer(daemon, pod, containerConfig('c', ['true'])));
  t.like(container, { metadata: { name: 'c', attempt: 0 }, image: { image: busybox } });
  for (const part of [container.id, container.image_ref, container.image_id]) t.not(part, '');
  t.not(container.created_at, '0');
});

test('ImageFsInfo answers in a daemon without images, with a path that is there', async (t) => {
  const { daemon } = stage();
  await daemon.cri.call('RemoveImage', { image: { image: busybox } });
  await daemon.stop();
  await daemon.start();
  const { image_filesystems, container_filesystems } = await daemon.cri.call('ImageFsInfo', {});
  for (const [usage] of [image_filesystems, container_filesystems]) {
    t.notThrows(() => chmodSync(usage?.fs_id.mountpoint ?? '', 0o700));
    t.regex(usage?.used_bytes.value ?? '', /^\d+$/);
  }
  await daemon.cri.call('PullImage', { image: { image: busybox } });
});

test('labels, annotations and 64-bit times come back as they are, from statuses and lists', async (t) => {
  const { daemon } = stage();
  const labels = { 'a/b.c': '', ünï: '\u{1f680} "q" \\ \n\t', '': 'empty key' };
  const annotations = { ...labels, 'io.kubernetes.container.hash': 'ffffffff', long: 'x'.repeat(100_000) };
  const before = BigInt(Date.now()) * 1_000_000n;
  const pod = await runPod(daemon, 'labelled', { labels, annotations });
  const id = await createContainer(daemon, pod, containerConfig('c', ['true'], { labels, annotations }));
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  const [inList] = (await daemon.cri.call('ListPodSandbox', {})).items;
  const [listed] = (await daemon.cri.call('ListContainers', {})).containers;
  const container = await statusOf(daemon, id);
  for (const one of [status, inList, listed, container]) {
    t.deepEqual(one?.labels, labels);
    t.deepEqual(one?.annotations, annotations);
    t.true(BigInt(one?.created_at ?? 0) >= before);
  }
  t.is(inList?.created_at, status.created_at);
  t.is(listed?.created_at, container.created_at);
});

test('ids have 64 hexadecimal digits, and the first of them are enough for people', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'prefix');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  for (const each of [pod.id, id]) t.regex(each, /^[0-9a-f]{64}$/);
  const [pod_sandbox_id, container_id] = [pod.id.slice(0, 13), id.slice(0, 13)];
  t.is((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id })).status.id, pod.id);
  t.is((await statusOf(daemon, container_id)).id, id);
  t.deepEqual((await daemon.cri.call('ListContainers', { filter: { id: container_id, pod_sandbox_id } })).containers.map((one) => one.id), [id]);
  t.is((await daemon.cri.call('ExecSync', { container_id, cmd: ['true'], timeout: 10 })).exit_code, 0);
  await daemon.cri.call('StopContainer', { container_id, timeout: 0 });
  await daemon.cri.call('RemoveContainer', { container_id });
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id });
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id });
  t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
});

test('a pod that is being made is not listed, nor is a container', async (t) => {
  const { daemon } = stage();
  const seen: string[] = [];
  let making = true;
  const watch = (async () => {
    while (making) {
      const { items } = await daemon.cri.call('ListPodSandbox', {});
      const { containers } = await daemon.cri.call('ListContainers', {});
      seen.push(...items.map((one) => one.state), ...containers.map((one) => one.state));
    }
  })();
  const pod = { config: podConfig(daemon, 'making'), id: '' };
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config: pod.config });
  await createContainer(daemon, { ...pod, id }, containerConfig('c', ['true']));
  making = false;
  await watch;
  t.deepEqual(seen.filter((state) => state !== 'SANDBOX_READY' && state !== 'CONTAINER_CREATED'), []);
});

test('streamed lists give what the plain ones give, each item once, and end', async (t) => {
  const { daemon } = stage();
  const { call, stream } = daemon.cri;
  const pods = await Promise.all(['one', 'two', 'three'].map((name) => runPod(daemon, name, { labels: { name } })));
  for (const pod of pods) await createContainer(daemon, pod, containerConfig('c', ['true'], { labels: pod.config['labels'] }));
  const filter = { label_selector: { name: 'two' } };
  for (const request of [{}, { filter }, { filter: { id: 'f'.repeat(64) } }]) {
    const streamed = await stream('StreamPodSandboxes', request).toArray() as { pod_sandboxes: object[] }[];
    t.deepEqual(streamed.flatMap((batch) => batch.pod_sandboxes), (await call('ListPodSandbox', request)).items);
    const containers = await stream('StreamContainers', request).toArray() as { containers: object[] }[];
    t.deepEqual(containers.flatMap((batch) => batch.containers), (await call('ListContainers', request)).containers);
  }
  const images = await stream('StreamImages', {}).toArray() as { images: object[] }[];
  t.deepEqual(images.flatMap((batch) => batch.images), (await call('ListImages', {})).images);
});

test('the status of a pod says whose namespaces it has', async (t) => {
  const { daemon } = stage();
  const optionsOf = async (name: string, namespace_options: object): Promise<unknown> => {
    const pod = await runPod(daemon, name, { linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options } } });
    return (await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status.linux?.namespaces.options;
  };
  t.like(await optionsOf('own', { pid: 0 }), { network: 'POD', pid: 'POD', ipc: 'POD' });
  t.like(await optionsOf('apart', { pid: 1 }), { network: 'POD', pid: 'CONTAINER', ipc: 'POD' });
  t.like(await optionsOf('host', { network: 2, pid: 2, ipc: 2 }), { network: 'NODE', pid: 'NODE', ipc: 'NODE' });
});

test('a pinned image is told as such, in the list and its status, and is removed when that is asked for', async (t) => {
  const { daemon } = stage();
  const image = 'registry.k8s.io/pause:3.9';
  await daemon.cri.call('PullImage', { image: { image } });
  const pinned = (await daemon.cri.call('ListImages', {})).images.filter((one) => one.pinned);
  t.deepEqual(pinned.map((one) => one.repo_tags), [[image]]);
  t.true((await daemon.cri.call('ImageStatus', { image: { image } })).image?.pinned);
  await daemon.cri.call('RemoveImage', { image: { image } });
  t.is((await daemon.cri.call('ImageStatus', { image: { image } })).image, null);
});
