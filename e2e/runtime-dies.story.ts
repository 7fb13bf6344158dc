import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { containerConfig, createContainer, exec, exitOf, podConfig, runPod, runScript, statusOf, type Pod } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { scriptedRuntime } from './harness/scripted.ts';
import { story } from './harness/story.ts';

/** Kills the real runtime that long after it was begun, where `$0.VERB` says so, or before it has done anything; once. */
const frail = `#!/bin/sh
for word; do case $word in create|start|exec|update|delete) verb=$word; break;; esac; done
[ -n "$verb" ] && [ -e "$0.$verb" ] || exec runc "$@"
delay=$(cat "$0.$verb")
rm "$0.$verb"
[ "$delay" != first ] || kill -9 $$
if [ "$delay" = mounted ]; then
  for word; do [ "$last" != --root ] || root=$word; last=$word; done
  mkdir -p "$root/$last/runc.x"
  mount -t tmpfs berth-e2e "$root/$last/runc.x"
  kill -9 $$
fi
runc "$@" & pid=$!
sleep "$delay"
kill -9 $pid
wait $pid
`;
const delays = ['0', '0.01', '0.03', '0.06'];

const runtime = scriptedRuntime('frail', frail);
const stage = story({ daemon: runtime.options });

test.afterEach.always('no kill is left for another test', () => {
  for (const verb of ['create', 'start', 'exec', 'update', 'delete']) rmSync(`${runtime.path()}.${verb}`, { force: true });
});

/** Where the runtime keeps what it knows of containers. */
const known = (): string => join(stage().daemon.state, 'oci/frail');

async function frailPod(name: string): Promise<Pod> {
  const { daemon } = stage();
  const config = podConfig(daemon, name);
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config, runtime_handler: 'frail' });
  return { id, config };
}

/** Runs `call` with the runtime killed during `verb`; true when it failed for that. */
async function killedDuring(verb: string, delay: string, call: () => Promise<unknown>): Promise<boolean> {
  writeFileSync(`${runtime.path()}.${verb}`, delay);
  const failed = await call().then(() => false, () => true);
  if (existsSync(`${runtime.path()}.${verb}`)) throw new Error(`${verb} was not run`);
  return failed;
}

for (const delay of delays) {
  test(`a create whose OCI runtime is killed after ${delay} s is made by the retry, once`, async (t) => {
    const { daemon } = stage();
    const pod = await frailPod('create');
    const config = containerConfig('c', ['sh', '-c', 'exit 6']);
    const failed = await killedDuring('create', delay, () => createContainer(daemon, pod, config));
    if (failed) t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
    const container_id = await createContainer(daemon, pod, config);
    t.is((await daemon.cri.call('ListContainers', {})).containers.length, 1);
    await daemon.cri.call('StartContainer', { container_id });
    t.is((await exitOf(daemon, container_id)).exit_code, 6);
  });

  test(`a start whose OCI runtime is killed after ${delay} s leaves a container that runs, or one that has ended`, async (t) => {
    const { daemon } = stage();
    const pod = await frailPod('start');
    const container_id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000']));
    const failed = await killedDuring('start', delay, () => daemon.cri.call('StartContainer', { container_id }));
    if (failed) t.is((await exitOf(daemon, container_id)).state, 'CONTAINER_EXITED');
    else t.is((await statusOf(daemon, container_id)).state, 'CONTAINER_RUNNING');
  });

  test(`an exec whose OCI runtime is killed after ${delay} s leaves the container as it was`, async (t) => {
    const { daemon } = stage();
    const container = await runScript(daemon, await frailPod('exec'), 'c', 'sleep 1000');
    await killedDuring('exec', delay, () => exec(daemon, container, 'sleep 20', 1));
    t.is((await exec(daemon, container, 'echo ok')).stdout, 'ok\n');
    const left = async () => (await exec(daemon, container, 'pgrep -f "sleep 20$" | wc -l')).stdout.trim();
    await until(async () => (await left()) === '0', 60_000, 'the end of the killed exec');
  });

  test(`a delete whose OCI runtime is killed after ${delay} s is carried out by the first call or the retry`, async (t) => {
    const { daemon } = stage();
    const container_id = await runScript(daemon, await frailPod('delete'), 'c', 'sleep 1000');
    await killedDuring('delete', delay, () => daemon.cri.call('RemoveContainer', { container_id }));
    await daemon.cri.call('RemoveContainer', { container_id });
    t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
  });
}

test('a container of a shim that is gone is removed wholly, also when the OCI runtime is killed over it', async (t) => {
  const { daemon } = stage();
  const pod = await frailPod('shimless');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const { info } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id, verbose: true });
  process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL');
  await exitOf(daemon, container_id);
  t.deepEqual(readdirSync(known()), [container_id]);
  await killedDuring('delete', 'first', () => daemon.cri.call('RemoveContainer', { container_id }));
  t.deepEqual(readdirSync(known()), []);
});

test('a create whose OCI runtime is killed with a mount of its own in place leaves nothing', async (t) => {
  const { daemon } = stage();
  const pod = await frailPod('mounted');
  const before = readdirSync(known()).length;
  t.true(await killedDuring('create', 'mounted', () => createContainer(daemon, pod, containerConfig('c', ['true']))));
  await until(() => readdirSync(known()).length === before, 60_000, 'the mount to be gone');
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
});

test('what an OCI runtime keeps of nobody is swept at the next start', async (t) => {
  const { daemon } = stage();
  const container = await runScript(daemon, await frailPod('kept'), 'c', 'sleep 1000');
  const place = join(known(), '0'.repeat(64), 'runc.x');
  mkdirSync(place, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'berth-e2e', place]);
  await daemon.kill();
  await daemon.start();
  await until(() => readdirSync(known()).length === 1, 60_000, 'the sweep');
  t.deepEqual(readdirSync(known()), [container]);
});

test('an update whose OCI runtime is killed leaves a container that can be updated and runs on', async (t) => {
  const { daemon } = stage();
  const container_id = await runScript(daemon, await frailPod('update'), 'c', 'sleep 1000');
  const linux = { memory_limit_in_bytes: '67108864' };
  t.true(await killedDuring('update', 'first', () => daemon.cri.call('UpdateContainerResources', { container_id, linux })));
  await daemon.cri.call('UpdateContainerResources', { container_id, linux });
  t.is((await statusOf(daemon, container_id)).state, 'CONTAINER_RUNNING');
});

test('pods of the sound runtime do not notice', async (t) => {
  const { daemon } = stage();
  t.is((await exitOf(daemon, await runScript(daemon, await runPod(daemon, 'sound'), 'c', 'exit 8'))).exit_code, 8);
});
