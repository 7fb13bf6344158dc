import test, { type ExecutionContext } from 'ava';
import { until } from '../harness/process.ts';
import { openSocket } from '../harness/streams.ts';
import { crashing, type Pod, web } from './pods.ts';
import { endPods, isReady, nodeStory, noteIds, restartsOf } from './stage.ts';

const node = nodeStory();
let before: Pod | undefined;

test('a pod of two containers starts and passes its probes', async (t) => {
  const { kubelet } = node();
  kubelet.addPod(web);
  kubelet.addPod(crashing);
  before = await kubelet.pod('web', 'ready', isReady);
  t.deepEqual(restartsOf(before), [0, 0]);
});

test('a container that crashes is started again after a back-off, its end is told', async (t) => {
  const waits = (pod: Pod): boolean => pod.status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff';
  const pod = await node().kubelet.pod('crashing', 'in back-off after two restarts', (now) => waits(now) && (restartsOf(now)[0] ?? 0) >= 2);
  t.like(pod.status.containerStatuses?.[0]?.lastState.terminated, { exitCode: 3, reason: 'Error', message: 'out of luck\n' });
});

test("a container's log, the present and the previous one, comes through the kubelet's port", async (t) => {
  const { kubelet } = node();
  const page = (options: string) => kubelet.get(`/containerLogs/story/web-localhost/worker?${options}`);
  t.is((await page('limitBytes=200')).split('\n')[0], `worker of web-localhost at ${before?.status.podIP}`);
  await until(async () => (await page('tailLines=1')) === 'tick\n', 60_000, 'the last line');
  t.is(await kubelet.get('/containerLogs/story/crashing-localhost/crash?previous=true'), 'started\n');
});

test("exec and port-forward work through the kubelet's port", async (t) => {
  const { kubelet } = node();
  const command = ['sh', '-c', 'cat; exit 7'].map((word) => `command=${encodeURIComponent(word)}`).join('&');
  const exec = await openSocket(kubelet.url(`/exec/story/web-localhost/server?${command}&input=1&output=1&error=1`), 'v5.channel.k8s.io');
  exec.send(0, 'through two servers');
  exec.end(0);
  await exec.closed;
  t.is(exec.text(1), 'through two servers');
  t.like(JSON.parse(exec.text(3)), { reason: 'NonZeroExitCode', details: { causes: [{ message: '7' }] } });

  const forward = await openSocket(kubelet.url('/portForward/story/web-localhost?port=8080'), 'v4.channel.k8s.io');
  forward.send(0, 'GET /index.html HTTP/1.0\r\n\r\n');
  await until(() => forward.text(0).includes('\r\n\r\nhello\n'), 60_000, 'the page through the forwarded port');
  forward.close();
});

(process.env['BERTH_E2E_PEER'] === undefined ? test : test.skip)("the kubelet's own metrics name pod and container, and count the pod's network", async (t) => {
  const { kubelet } = node();
  const wanted = [
    /^container_cpu_usage_seconds_total\{container="server",.*image="registry.k8s.io\/e2e-test-images\/busybox:1.29-2",.*namespace="story",pod="web-localhost"\} [0-9.e+-]+/m,
    /^container_memory_working_set_bytes\{container="worker",.*namespace="story",pod="web-localhost"\} [1-9]/m,
    /^container_network_receive_bytes_total\{container="POD",.*interface="eth0",.*namespace="story",pod="web-localhost"\} [1-9]/m,
  ];
  let page = '';
  const shown = async (): Promise<boolean> => {
    page = await kubelet.get('/metrics/cadvisor');
    return wanted.every((line) => line.test(page));
  };
  await until(shown, 120_000, 'cAdvisor to have looked at the pod').catch(() => undefined);
  const ours = page.split('\n').filter((line) => line.includes('web-localhost')).join('\n');
  for (const line of wanted) t.regex(ours, line);
});

for (const how of ['stop', 'kill'] as const) {
  test(`the pod runs on while the kubelet is away (${how})`, async (t) => {
    await node().kubelet[how]();
    await node().kubelet.start();
    await sameAsBefore(t, await node().kubelet.pod('web', 'ready again', isReady));
  });

  test(`the pod runs on while the daemon is away (${how})`, async (t) => {
    const { daemon, kubelet } = node();
    const count = restartsOf(await kubelet.pod('crashing', 'known', () => true))[0] ?? 0;
    await daemon[how]();
    await daemon.start();
    await kubelet.pod('crashing', 'started again by the new daemon', (pod) => (restartsOf(pod)[0] ?? 0) > count);
    await sameAsBefore(t, await kubelet.pod('web', 'ready', isReady));
  });
}

test('pods whose manifest is removed end, and the kubelet has logged no error', async (t) => {
  t.deepEqual(await endPods(node(), [web, crashing]), []);
});

async function sameAsBefore(t: ExecutionContext, now: Pod): Promise<void> {
  const ids = (pod: Pod | undefined) => pod?.status.containerStatuses?.map((each) => each.containerID);
  t.deepEqual(ids(now), ids(before));
  t.deepEqual(restartsOf(now), [0, 0]);
  await noteIds(node());
}
