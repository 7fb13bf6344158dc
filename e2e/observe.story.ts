import test from 'ava';
import { removePod, runPod, runScript } from './harness/pod.ts';
import { freePort } from './harness/process.ts';
import { story } from './harness/story.ts';

const port = await freePort();
const stage = story({ daemon: { args: ['--metrics-address', `127.0.0.1:${port}`] } });
const get = async (path: string): Promise<Response> => await fetch(`http://127.0.0.1:${port}${path}`);

test('a healthy daemon says so', async (t) => {
  stage();
  t.is((await get('/healthz')).status, 200);
});

test('metrics count every call by name and code and time it, and time the stages of a pod start', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'measured');
  await runScript(daemon, pod, 'c', 'sleep 1000');
  await removePod(daemon, pod.id);
  await t.throwsAsync(daemon.cri.call('ContainerStatus', { container_id: 'f'.repeat(64) }));
  const text = await (await get('/metrics')).text();
  t.regex(text, /^berth_\w+\{[^}]*RunPodSandbox[^}]*\} [1-9]/m);
  t.regex(text, /^berth_\w+_bucket\{[^}]*RunPodSandbox[^}]*\} \d/m);
  t.regex(text, /^berth_\w+\{[^}]*ContainerStatus[^}]*\} [1-9]/m);
  t.regex(text, /^berth_\w+_bucket\{[^}]*stage="[^}]*\} \d/m);
  t.false(text.includes(pod.id), 'a metric carries the id of a pod: such labels grow without bound');
});
