import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { childrenOf } from './harness/engine.ts';
import { textOf } from './harness/files.ts';
import { leaks } from './harness/leaks.ts';
import { exitOf, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

test('what runs without a record, because the state was lost, is ended and gives everything back', async (t) => {
  const { daemon, baseline } = stage();
  const pod = await runPod(daemon, 'forgotten', { port_mappings: [{ protocol: 0, container_port: 80, host_port: 28_081 }] });
  await runScript(daemon, pod, 'c', 'sleep 1000');
  await daemon.kill();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(daemon.state, `state.db${suffix}`), { force: true });
  await daemon.start();
  t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
  t.deepEqual(await leaks(daemon, baseline), []);
});

test('after a restart a shim is asked for the exits since the last one known', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'news');
  await exitOf(daemon, await runScript(daemon, pod, 'first', 'exit 1'));
  const second = await runScript(daemon, pod, 'second', 'sleep 1; exit 2');
  await daemon.kill();
  await daemon.start();
  t.is((await exitOf(daemon, second)).exit_code, 2);
  const met = textOf(daemon.logPath).split('\n').findLast((line) => line.includes('shim is met') && line.includes(pod.id)) ?? '';
  t.regex(met, /sinceSeq\W+1\b/);
});

test('a daemon that ends keeps the next one out until it has taken everything away', async (t) => {
  const { daemon } = stage();
  const [engine = -1] = childrenOf(daemon.pid(), 'berth-engine');
  const [command = '', ...args] = daemon.commandLine;
  const second = () => spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  process.kill(engine, 'SIGSTOP');
  process.kill(daemon.pid(), 'SIGTERM');
  try {
    await until(() => textOf(daemon.logPath).includes('pods go on'), 60_000, 'the daemon to begin its end');
    await until(() => !hasOpen(daemon.pid(), join(daemon.state, 'state.db')), 60_000, 'the daemon to close its state');
    t.regex(second().stderr, /belongs to another berthd/);
  } finally {
    process.kill(engine, 'SIGCONT');
  }
  await until(() => !daemon.isRunning(), 60_000, 'the daemon to end');
  await daemon.start();
});

function hasOpen(pid: number, path: string): boolean {
  return spawnSync('find', [`/proc/${pid}/fd`, '-lname', path], { encoding: 'utf8' }).stdout !== '';
}
