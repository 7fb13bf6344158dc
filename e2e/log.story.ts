import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { exec, exitOf, logLines, logOf, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();

test('output is kept by stream, one record per line', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'streams');
  const waits = (name: string): string => `until [ -e /${name} ]; do sleep 0.05; done`;
  const id = await runScript(daemon, pod, 'c', `echo one; ${waits('a')}; echo two >&2; ${waits('b')}; echo; echo three`);
  // Two streams have no order but that in which they were read.
  for (const [at, name] of ['a', 'b'].entries()) {
    await logLines(pod, 'c', at + 1);
    await exec(daemon, id, `touch /${name}`);
  }
  await exitOf(daemon, id);
  t.deepEqual(logOf(pod, 'c'), [
    { stream: 'stdout', tag: 'F', text: 'one' },
    { stream: 'stderr', tag: 'F', text: 'two' },
    { stream: 'stdout', tag: 'F', text: '' },
    { stream: 'stdout', tag: 'F', text: 'three' },
  ]);
});

test('a long line is kept as partial records that join to the line, and no record is malformed', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'long');
  await exitOf(daemon, await runScript(daemon, pod, 'c', 'head -c 50000 /dev/zero | tr "\\0" x; echo; echo short'));
  const records = logOf(pod, 'c');
  const last = records.findIndex((record) => record.tag === 'F');
  t.true(last > 0 && records.slice(0, last).every((record) => record.tag === 'P'));
  t.is(
    records
      .slice(0, last + 1)
      .map((record) => record.text)
      .join(''),
    'x'.repeat(50_000),
  );
  t.deepEqual(
    records.slice(last + 1).map((record) => record.text),
    ['short'],
  );
});

test('a last line without line feed is kept', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'tail');
  await exitOf(daemon, await runScript(daemon, pod, 'c', 'printf no-newline'));
  t.is(
    logOf(pod, 'c')
      .map((record) => record.text)
      .join(''),
    'no-newline',
  );
});

test('after a rotation the new file exists at once, the old one is finished and no line is lost', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'rotate');
  const container_id = await runScript(daemon, pod, 'c', 'i=0; while true; do i=$((i+1)); echo $i; usleep 2000; done');
  await logLines(pod, 'c', 20);
  const path = join(pod.config.log_directory, 'c.log');
  renameSync(path, `${path}.1`);
  await daemon.cri.call('ReopenContainerLog', { container_id });
  t.true(existsSync(path));
  const finished = readFileSync(`${path}.1`, 'utf8');
  await logLines(pod, 'c', 20);
  await daemon.cri.call('StopContainer', { container_id, timeout: 0 });
  t.is(readFileSync(`${path}.1`, 'utf8'), finished);
  const numbers = (finished + readFileSync(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => Number(line.split(' ')[3]));
  t.deepEqual(
    numbers,
    numbers.map((_, i) => i + 1),
  );
});

test('reopening the log of an exited container either makes the file or fails without making it', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'late');
  const container_id = await runScript(daemon, pod, 'c', 'echo x');
  await exitOf(daemon, container_id);
  const path = join(pod.config.log_directory, 'c.log');
  renameSync(path, `${path}.1`);
  const reopened = await daemon.cri.call('ReopenContainerLog', { container_id }).then(
    () => true,
    () => false,
  );
  t.is(existsSync(path), reopened);
});
