import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { nativeProgram } from '../cri/options-native.ts';
import { childrenOf } from './harness/engine.ts';
import { removePod, runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-observe-'));
const native = join(folder, 'berth-native');
copyFileSync(nativeProgram(), native);

const port = await freePort();
const stage = story({ daemon: { args: ['--metrics-address', `127.0.0.1:${port}`, '--native', native] } });
test.after.always('its engine\'s program is removed', () => rmSync(folder, { recursive: true }));

const get = async (path: string): Promise<Response> => await fetch(`http://127.0.0.1:${port}${path}`);

test.serial('a healthy daemon says so', async (t) => {
  stage();
  t.is((await get('/healthz')).status, 200);
});

const metric = async (name: string): Promise<string | undefined> => {
  const page = await (await get('/metrics')).text();
  return page.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1];
};

test.serial('while no engine can be started, health and metrics say so, and then that one runs again', async (t) => {
  const { daemon } = stage();
  t.is(await metric('berth_engine_up'), '1');
  t.is(await metric('berth_engine_restarts_total'), '0');
  renameSync(native, `${native}.away`);
  for (const pid of childrenOf(daemon.pid(), 'berth-engine')) process.kill(pid, 'SIGKILL');
  await until(async () => (await get('/healthz')).status === 503, 60_000, 'the daemon to know that its engine has ended');
  t.regex(await (await get('/healthz')).text(), /engine/);
  t.is(await metric('berth_engine_up'), '0');
  renameSync(`${native}.away`, native);
  await until(async () => (await metric('berth_engine_up')) === '1', 60_000, 'another engine');
  t.is(await metric('berth_engine_restarts_total'), '1');
  t.is((await get('/healthz')).status, 200);
});

test.serial('shims are counted by their state', async (t) => {
  const { daemon } = stage();
  t.is(await metric('berth_shims{state="serving"}'), '0');
  const [one] = [await runPod(daemon, 'one'), await runPod(daemon, 'two')];
  t.is(await metric('berth_shims{state="serving"}'), '2');
  const { info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: one.id, verbose: true });
  process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL');
  await until(async () => (await metric('berth_shims{state="lost"}')) === '1', 60_000, 'the killed shim to be missed');
  t.is(await metric('berth_shims{state="serving"}'), '1');
  await removePod(daemon, one.id);
  t.is(await metric('berth_shims{state="lost"}'), '0');
});

test.serial('metrics count every call by name and code and time it, and time the stages of a pod start', async (t) => {
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
