import { readdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { Daemon } from './harness/daemon.ts';
import { below, textOf } from './harness/files.ts';
import { exitOf, podConfig, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { scriptedRuntime } from './harness/scripted.ts';
import { story } from './harness/story.ts';

/** Hangs in its trial, as a runtime whose hypervisor does not answer, until the file beside it is there. */
const hanging = '#!/bin/sh\nuntil [ -e "$0.fail" ]; do sleep 0.1; done\necho broken >&2\nexit 1\n';

const runtime = scriptedRuntime('broken', hanging);
const stage = story({ daemon: runtime.options });

const trials = (daemon: Daemon): string[] => [
  ...readdirSync(daemon.state).filter((name) => name.startsWith('trial-')),
  ...below('/sys/fs/cgroup').filter(({ path }) => path.includes('trial-broken')).map(({ path }) => path),
];

test('a configured runtime that hangs does not hold up the start, and is left out when it has failed', async (t) => {
  const { daemon } = stage();
  const ready = /readyMs[=:]\s*(\d+)/.exec(textOf(daemon.logPath).replaceAll('"', ''))?.[1];
  t.true(Number(ready) < 60_000, `ready after ${ready} ms`);
  const pod = await runPod(daemon, 'meanwhile');
  t.is((await exitOf(daemon, await runScript(daemon, pod, 'c', 'exit 3'))).exit_code, 3);

  t.not(trials(daemon).length, 0, 'its trial is over before it was made to fail');
  writeFileSync(`${runtime.path()}.fail`, '');
  const refused = async (): Promise<boolean> => {
    const ask = { config: podConfig(daemon, 'broken'), runtime_handler: 'broken' };
    return daemon.cri.call('RunPodSandbox', ask).then(() => false, (error: Error) => /no runtime handler broken/.test(error.message));
  };
  await until(refused, 60_000, 'the refusal of the handler');
  await until(() => trials(daemon).length === 0, 60_000, 'the end of the trial');
});

test('a trial that a killed daemon was at is cleared away by the next one', async (t) => {
  const { daemon } = stage();
  await daemon.stop();
  writeFileSync(runtime.path(), hanging.replace('.fail', '.never'));
  await daemon.start();
  t.true(trials(daemon).length > 0);
  await daemon.kill();
  writeFileSync(runtime.path(), '#!/bin/sh\nexit 1\n');
  await daemon.start();
  await until(() => trials(daemon).length === 0, 60_000, 'the end of the trial');
});
