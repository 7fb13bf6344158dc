import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Daemon } from './harness/daemon.ts';
import { textOf } from './harness/files.ts';
import { ownProcesses } from './harness/leaks.ts';
import { until } from './harness/process.ts';
import { removeImage } from './harness/remove-image.ts';
import { story } from './harness/story.ts';

const stage = story({ images: [] });
const image = { image: 'docker.io/berth/bulk:1' };

const engineOf = (daemon: Daemon): number => {
  const found = ownProcesses(daemon, []).find(({ name }) => name === 'berth-engine');
  if (found === undefined) throw new Error('the daemon has no engine');
  return found.pid;
};

/** What `work` makes a process and its threads call, of the system calls named: the lines of strace. */
async function traced(pid: number, calls: string, work: () => Promise<unknown>): Promise<string[]> {
  const output = join(stage().daemon.directory, `strace-${pid}`);
  const strace = spawn('strace', ['-f', '-q', '-e', `trace=${calls}`, '-o', output, '-p', String(pid)], { stdio: 'ignore' });
  const ended = once(strace, 'exit');
  await until(() => !/^TracerPid:\t0$/m.test(textOf(`/proc/${pid}/status`)), 30_000, `strace to attach to ${pid}`);
  await work();
  strace.kill('SIGINT');
  await ended;
  return readFileSync(output, 'utf8').split('\n').filter((line) => /^\d+ +\w+\(/.test(line));
}

test('an image of many layers and files is made durable by one syncfs, and no file of it by an fsync', async (t) => {
  const { daemon } = stage();
  const lines = await traced(engineOf(daemon), 'fsync,fdatasync,sync,syncfs,sync_file_range', async () => {
    await daemon.cri.call('PullImage', { image });
  });
  t.is(lines.filter((line) => line.includes(' syncfs(')).length, 1, lines.join('\n'));
  // The folders that layers move from and to.
  t.is(lines.filter((line) => line.includes(' fsync(')).length, 2, lines.join('\n'));
  // Large files begin to be written out as soon as they are complete, which waits for nothing.
  const begun = lines.filter((line) => line.includes(' sync_file_range(') && line.includes('SYNC_FILE_RANGE_WRITE)'));
  t.true(begun.length >= 9, lines.join('\n'));
  t.is(lines.length, 3 + begun.length, lines.join('\n'));
  await removeImage(daemon, image.image);
});

test('a pull asks for each blob once, keeps none and reads none again', async (t) => {
  const { daemon, registry, digests } = stage();
  const blobs = digests['berth/bulk:1']?.blobs ?? [];
  t.true(blobs.length > 7);
  const readBytes = (): number => Number(/^rchar: (\d+)$/m.exec(textOf(`/proc/${engineOf(daemon)}/io`))?.[1]);
  const [before, asked] = [readBytes(), textOf(registry.logPath).length];
  await daemon.cri.call('PullImage', { image });
  // What comes over a connection is received, not read: only files would count here.
  t.true(readBytes() - before < 1 << 20, `${readBytes() - before} bytes read`);
  const log = textOf(registry.logPath).slice(asked).split('\n').filter((line) => line.includes('response completed') && line.includes('http.request.method=GET'));
  for (const digest of blobs) {
    const requests = log.filter((line) => line.includes(digest));
    t.true(requests.length <= 1, requests.join('\n'));
  }
  await removeImage(daemon, image.image);
});
