import test from 'ava';
import { crashing, type Pod, web } from './pods.ts';
import { endPods, isReady, nodeStory, restartsOf } from './stage.ts';

// With this gate the kubelet lists pods only every five minutes: what happens sooner, happens because an event told it.
const node = nodeStory({ featureGates: { EventedPLEG: true } });
let before: Pod | undefined;

test('a kubelet that lives by container events starts pods and starts crashed containers again', async (t) => {
  const { kubelet } = node();
  for (const pod of [web, crashing]) kubelet.addPod(pod);
  before = await kubelet.pod('web', 'ready', isReady);
  await kubelet.pod('crashing', 'started three times', (pod) => (restartsOf(pod)[0] ?? 0) >= 2);
  const metrics = await kubelet.get('/metrics');
  t.regex(metrics, /^kubelet_evented_pleg_connection_success_count 1$/m);
  t.notRegex(metrics, /^kubelet_evented_pleg_connection_error_count [1-9]/m);
});

test('it goes on after the daemon was killed, with the same containers', async (t) => {
  const { daemon, kubelet } = node();
  const count = restartsOf(await kubelet.pod('crashing', 'known', () => true))[0] ?? 0;
  await daemon.kill();
  await daemon.start();
  await kubelet.pod('crashing', 'started again by the new daemon', (pod) => (restartsOf(pod)[0] ?? 0) > count);
  const now = await kubelet.pod('web', 'ready', isReady);
  const ids = (pod: Pod | undefined) => pod?.status.containerStatuses?.map((each) => each.containerID);
  t.deepEqual(ids(now), ids(before));
  t.deepEqual(restartsOf(now), [0, 0]);
});

test('pods whose manifest is removed end, and the kubelet has logged no error', async (t) => {
  t.deepEqual(await endPods(node(), [web, crashing]), []);
});
