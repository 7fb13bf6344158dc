import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { fillBytes } from './harness/fill.ts';
import { counted } from './harness/metrics.ts';
import { exec, exitOf, logLines, logOf, runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';

const metricsPort = await freePort();
const stage = story({
  daemon: {
    args: ['--metrics-address', `127.0.0.1:${metricsPort}`],
    prepare: ({ directory }) => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8M', 'berth-e2e', join(directory, 'logs')]),
  },
});
const lost = () => counted(metricsPort, 'berth_container_log_records_lost_total');

/** Says numbers until it is told to end; the last one is in /last. */
const script = 'i=0; until [ -e /end ]; do i=$((i+1)); echo $i; echo $i >/last; usleep 500; done';

test('with the disk of the logs full lines are lost and counted, the container goes on, and later lines are logged again', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'logs');
  const id = await runScript(daemon, pod, 'c', script);
  const last = async (): Promise<number> => Number((await exec(daemon, id, 'cat /last')).stdout);
  await logLines(pod, 'c', 10);
  const filling = fillBytes(daemon.podLogs);
  await until(async () => (await lost()) > 0, 60_000, 'lost lines to be counted');
  const then = await last();
  await until(async () => (await last()) > then, 60_000, 'the container to go on');
  filling.free();
  const logged = logOf(pod, 'c').length;
  await logLines(pod, 'c', logged + 10);
  await exec(daemon, id, 'touch /end');
  t.is((await exitOf(daemon, id)).exit_code, 0);
  const records = logOf(pod, 'c');
  t.deepEqual(records.filter(({ stream, tag }) => stream !== 'stdout' || tag !== 'F'), [], 'all records are whole');
  const numbers = records.map(({ text }) => Number(text));
  t.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
  t.is(new Set(numbers).size, numbers.length);
  const said = numbers.at(-1) ?? 0;
  await until(async () => numbers.length + (await lost()) === said, 60_000, `${said} lines to be logged or counted`);
  t.log(`${said} lines, ${numbers.length} of them logged`);
});
