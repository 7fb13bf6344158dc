import test from 'ava';
import { until } from '../harness/process.ts';
import { story, type Stage } from '../harness/story.ts';
import { openSocket } from '../harness/streams.ts';
import { unexplained } from './errors.ts';
import { startKubelet, type Kubelet } from './kubelet.ts';
import { crashing, type Pod, web } from './pods.ts';

/** The life of two pods under a kubelet, from first start to removal; `settings` are added to its configuration. */
export function kubeletStory(settings: object = {}): void {
  let kubelet: Kubelet | undefined;
  let before: Pod | undefined;
  const node = (): Kubelet => {
    if (kubelet === undefined) throw new Error('the kubelet did not start');
    return kubelet;
  };
  test.after.always('the kubelet is gone', async () => {
    await kubelet?.kill();
    kubelet?.discard();
  });
  const stage = story({ images: [], keepPods: true });

  test('a pod of two containers starts and passes its probes', async (t) => {
    kubelet = await startKubelet(stage().daemon, settings);
    kubelet.addPod(web);
    kubelet.addPod(crashing);
    before = await kubelet.pod('web', 'ready', ready);
    t.deepEqual(restarts(before), [0, 0]);
  });

  test('a container that crashes is started again after a back-off, its end is told', async (t) => {
    const waits = (pod: Pod): boolean => pod.status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff';
    const pod = await node().pod('crashing', 'in back-off after two restarts', (now) => waits(now) && (restarts(now)[0] ?? 0) >= 2);
    const ended = pod.status.containerStatuses?.[0]?.lastState.terminated;
    t.is(ended?.exitCode, 3);
    t.is(ended?.reason, 'Error');
    t.is(ended?.message, 'out of luck\n');
  });

  test("log, exec and port-forward work through the kubelet's port", async (t) => {
    const log = await node().get('/containerLogs/story/web-localhost/worker?limitBytes=200');
    t.is(log.split('\n')[0], `worker of web-localhost at ${before?.status.podIP}`);
    await until(async () => (await node().get('/containerLogs/story/web-localhost/worker?tailLines=1')) === 'tick\n', 5000, 'the last line');
    t.is(await node().get('/containerLogs/story/crashing-localhost/crash?previous=true'), 'started\n');

    const command = ['sh', '-c', 'cat; exit 7'].map((word) => `command=${encodeURIComponent(word)}`).join('&');
    const exec = await openSocket(node().url(`/exec/story/web-localhost/server?${command}&input=1&output=1&error=1`), 'v5.channel.k8s.io');
    exec.send(0, 'through two servers');
    exec.end(0);
    await exec.closed;
    t.is(exec.text(1), 'through two servers');
    t.like(JSON.parse(exec.text(3)), { reason: 'NonZeroExitCode', details: { causes: [{ message: '7' }] } });

    const forward = await openSocket(node().url('/portForward/story/web-localhost?port=8080'), 'v4.channel.k8s.io');
    forward.send(0, 'GET /index.html HTTP/1.0\r\n\r\n');
    await until(() => forward.text(0).includes('\r\n\r\nhello\n'), 5000, 'the page through the forwarded port');
    forward.close();
  });

  for (const how of ['stop', 'kill'] as const) {
    test(`the pod runs on while the kubelet is away (${how})`, async (t) => {
      await node()[how]();
      await node().start();
      await sameAsBefore(t, await node().pod('web', 'ready again', ready));
    });

    test(`the pod runs on while the daemon is away (${how})`, async (t) => {
      const count = restarts(await node().pod('crashing', 'known', () => true))[0] ?? 0;
      await stage().daemon[how]();
      await stage().daemon.start();
      await node().pod('crashing', 'started again by the new daemon', (pod) => (restarts(pod)[0] ?? 0) > count);
      await sameAsBefore(t, await node().pod('web', 'ready', ready));
    });
  }

  test('pods whose manifest is removed end and leave nothing', async (t) => {
    await noteIds(stage());
    for (const name of ['web', 'crashing']) node().removePod(name);
    const { cri } = stage().daemon;
    await until(async () => (await cri.call('ListPodSandbox', {})).items.length === 0, 60_000, 'the pods to be removed');
    t.deepEqual((await cri.call('ListContainers', {})).containers, []);
    await node().stop();
    t.deepEqual(unexplained(node().log()), [], "the kubelet's log");
    node().discard();
  });

  async function sameAsBefore(t: { deepEqual(actual: unknown, expected: unknown): unknown }, now: Pod): Promise<void> {
    t.deepEqual(ids(now), before === undefined ? [] : ids(before));
    t.deepEqual(restarts(now), [0, 0]);
    await noteIds(stage());
  }
}

/** Pods and containers that the kubelet made count as the daemon's. */
async function noteIds({ daemon }: Stage): Promise<void> {
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  const { containers } = await daemon.cri.call('ListContainers', {});
  for (const { id } of [...items, ...containers]) daemon.cri.ids.add(id);
}

const ready = (pod: Pod): boolean =>
  pod.status.phase === 'Running' && pod.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
const restarts = (pod: Pod): number[] => pod.status.containerStatuses?.map((each) => each.restartCount) ?? [];
const ids = (pod: Pod): (string | undefined)[] => pod.status.containerStatuses?.map((each) => each.containerID) ?? [];
