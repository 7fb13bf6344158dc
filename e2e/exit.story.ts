import test from 'ava';
import { namesIn, textOf } from './harness/files.ts';
import { containerConfig, createContainer, exitOf, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

for (const [code, reason] of [
  [0, 'Completed'],
  [3, 'Error'],
  [255, 'Error'],
] as const) {
  test(`a container that exits with ${code} shows that code and the reason ${reason}`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, `exit-${code}`);
    const status = await exitOf(daemon, await runScript(daemon, pod, 'c', `exit ${code}`));
    t.is(status.exit_code, code);
    t.is(status.reason, reason);
    t.true(BigInt(status.created_at) <= BigInt(status.started_at));
    t.true(BigInt(status.started_at) <= BigInt(status.finished_at));
  });
}

test('a container killed by a signal shows 128 plus its number', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'signalled');
  const marker = `${10_000 + (process.pid % 10_000)}`;
  const container = await createContainer(daemon, pod, containerConfig('c', ['sleep', `5${marker}`]));
  await daemon.cri.call('StartContainer', { container_id: container });
  await until(() => sleeping(`5${marker}`).length === 1, 60_000, 'the sleep to run');
  for (const pid of sleeping(`5${marker}`)) process.kill(pid, 'SIGKILL');
  const status = await exitOf(daemon, container);
  t.is(status.exit_code, 137);
  t.is(status.reason, 'Error');
});

test('a command that does not exist fails with an error that names it, and the container can be removed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'missing');
  let container_id: string | undefined;
  const error = await t.throwsAsync(async () => {
    container_id = await createContainer(daemon, pod, containerConfig('c', ['/no/such/program']));
    await daemon.cri.call('StartContainer', { container_id });
  });
  t.regex(error.message, /\/no\/such\/program/);
  if (container_id === undefined) return;
  t.not((await statusOf(daemon, container_id)).state, 'CONTAINER_RUNNING');
  await daemon.cri.call('RemoveContainer', { container_id });
});

test('a removed container is gone at once, also when it was running', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'removed');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  await daemon.cri.call('RemoveContainer', { container_id });
  t.deepEqual((await daemon.cri.call('ListContainers', { filter: { id: container_id } })).containers, []);
  await t.throwsAsync(statusOf(daemon, container_id));
});

function sleeping(seconds: string): number[] {
  return namesIn('/proc')
    .map(Number)
    .filter((pid) => textOf(`/proc/${pid}/cmdline`) === `sleep\0${seconds}\0`);
}
