import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { textOf } from './harness/files.ts';
import { exec, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { tool } from './harness/tools.ts';

const stage = story({ daemon: { activated: true } });

/** How many calls of that name were answered, by the log. */
const answered = (name: string): number => textOf(stage().daemon.logPath).split(` ${name} done `).length;

/** Process ids of the daemons that became ready, oldest first. */
const served = (): number[] => [...textOf(stage().daemon.logPath).matchAll(/berthd is ready .*pid=(\d+)/g)].map(([, pid]) => Number(pid));

test.serial('a client that calls without pause sees no call fail while the daemon restarts three times in order', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'stays');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const client = spawn(tool('steady'), [daemon.socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  const report = text(client.stdout);
  for (let restart = 0; restart < 3; restart++) {
    const [before, calls] = [served(), answered('Status')];
    await until(() => answered('Status') > calls + 20, 30_000, 'the client to call');
    process.kill(before.at(-1) ?? -1, 'SIGTERM');
    await until(() => served().length > before.length, 30_000, 'the next daemon');
  }
  client.stdin.end();
  const { calls, failures } = JSON.parse(await report) as { calls: number; failures: string[] };
  t.deepEqual(failures, []);
  t.true(calls > 3 * 20, `${calls} calls`);
  t.is((await exec(daemon, id, 'echo still here')).stdout, 'still here\n');
});

test.serial("the manager's socket stays as it made it", (t) => {
  t.true(statSync(stage().daemon.socket).isSocket());
});
