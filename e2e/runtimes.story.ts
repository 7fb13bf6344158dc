import { readFileSync } from 'node:fs';
import test from 'ava';
import { startDaemon } from './harness/daemon.ts';
import { runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story({ daemon: { args: ['--runtime', 'broken=/bin/false', '--runtime', 'absent=/nowhere/runc'] } });

test('the first OCI runtime that runs a container becomes the default, and the log says why others were refused', async (t) => {
  const { daemon } = stage();
  const chosen = readFileSync(daemon.logPath, 'utf8').split('\n').find((line) => line.includes('OCI runtime chosen'));
  t.regex(chosen ?? '', /runtime=runc .*broken \(\/bin\/false\): exit code 1; absent \(\/nowhere\/runc\): .*(not found|No such file)/i);
  const pod = await runPod(daemon, 'default-runtime');
  await t.notThrowsAsync(runScript(daemon, pod, 'c', 'sleep 1000'));
});

test('a daemon whose default runtime does not work ends and says why', async (t) => {
  const args = ['--runtime', 'broken=/bin/false', '--default-runtime', 'broken'];
  const error = await t.throwsAsync(startDaemon({ args }));
  t.regex(error.message, /no OCI runtime works here: broken \(\/bin\/false\): exit code 1\. Install runc, or name one with --runtime/);
});
