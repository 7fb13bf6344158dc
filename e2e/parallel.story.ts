import test from 'ava';
import { discard, startDaemon } from './harness/daemon.ts';
import { busybox, exec, removePod, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();
const count = 20;

test('twenty pods at once all run, each with an address of its own, and all go', async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const pod = await runPod(daemon, `many-${i}`);
      const container = await runScript(daemon, pod, 'c', 'sleep 1000');
      const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
      return { pod, container, address: status.network?.ip };
    }),
  );
  t.is(new Set(pods.map(({ address }) => address)).size, count);
  const { items } = await daemon.cri.call('ListPodSandbox', { filter: { state: { state: 'SANDBOX_READY' } } });
  t.is(items.length, count);
  const names = await Promise.all(
    pods.map(async ({ container }) => (await exec(daemon, container, 'hostname', 60)).stdout.trim()),
  );
  t.deepEqual(
    names,
    pods.map((_, i) => `many-${i}`),
  );
  await Promise.all(pods.map(({ pod }) => removePod(daemon, pod.id)));
  t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
});

test('ten containers of one pod start side by side', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'crowd');
  const containers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => runScript(daemon, pod, `c${i}`, 'sleep 1000')),
  );
  const running = await daemon.cri.call('ListContainers', {
    filter: { pod_sandbox_id: pod.id, state: { state: 'CONTAINER_RUNNING' } },
  });
  t.deepEqual(running.containers.map((container) => container.id).sort(), containers.toSorted());
});

test('a second daemon with directories of its own runs its pods beside the first', async (t) => {
  const { daemon, registry } = stage();
  const other = await startDaemon({ registries: [registry.host] });
  t.teardown(async () => {
    await other.stop();
    discard(other);
  });
  await other.cri.call('PullImage', { image: { image: busybox } });
  const [mine, theirs] = [await runPod(daemon, 'same'), await runPod(other, 'same')];
  await runScript(other, theirs, 'c', 'sleep 1000');
  t.deepEqual(
    (await daemon.cri.call('ListPodSandbox', {})).items.map((item) => item.id),
    [mine.id],
  );
  t.deepEqual(
    (await other.cri.call('ListPodSandbox', {})).items.map((item) => item.id),
    [theirs.id],
  );
  await removePod(other, theirs.id);
});
