import { type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { crictl } from './harness/crictl.ts';
import { namesIn, textOf } from './harness/files.ts';
import { exec, exitOf, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();
const capBytes = 16 << 20;

test('exec returns standard output, standard error and exit code apart', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'split');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  t.deepEqual(await exec(daemon, container, 'echo out; echo err >&2; exit 7'), {
    stdout: 'out\n',
    stderr: 'err\n',
    code: 7,
  });
  const result = await crictl(daemon, 'exec', '-s', container, 'sh', '-c', 'exit 3');
  t.not(result.code, 0);
  t.regex(result.stderr + result.stdout, /exit(ed)? (with|code|status):? 3/i);
});

test('exec output beyond 16 MiB is dropped while the command runs to its end', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'cap');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const script = `head -c ${capBytes + 5_000_000} /dev/zero; echo done >&2`;
  const reply = await exec(daemon, container, script, 60);
  t.true(reply.stdout.length <= capBytes && reply.stdout.length > capBytes - 4096, `${reply.stdout.length} bytes`);
  t.is(reply.stderr, 'done\n');
  t.is(reply.code, 0);
});

test('a timeout ends the whole process tree, also a child in a session of its own', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'timeout');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const error = await t.throwsAsync(exec(daemon, container, 'setsid sleep 43219 & sleep 54329', 1));
  t.is((error as Error & { code?: number }).code, status.DEADLINE_EXCEEDED);
  t.deepEqual(processesWith('43219'), []);
  t.deepEqual(processesWith('54329'), []);
  t.is((await exec(daemon, container, 'echo alive')).stdout, 'alive\n');
});

test('exec ends with its process although a child still holds the output', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'drain');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const startedMs = performance.now();
  t.is((await exec(daemon, container, 'sleep 1000 & echo hi')).stdout, 'hi\n');
  t.true(performance.now() - startedMs < 60_000);
});

test('exec runs in the container: its files, user, host name and environment', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'inside');
  const container = await runScript(daemon, pod, 'c', 'echo made > /tmp/file; sleep 1000', {
    envs: [{ key: 'COLOUR', value: Buffer.from('blue') }],
  });
  t.is(
    (await exec(daemon, container, 'until [ -s /tmp/file ]; do sleep 0.1; done; cat /tmp/file; hostname; id -u; echo $COLOUR')).stdout,
    'made\ninside\n0\nblue\n',
  );
});

test('exec into a container that does not exist or has exited is refused', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'gone');
  const container = await runScript(daemon, pod, 'c', 'exit 0');
  await exitOf(daemon, container);
  await t.throwsAsync(exec(daemon, container, 'true'));
  const unknown = await t.throwsAsync(exec(daemon, 'f'.repeat(64), 'true'));
  t.is((unknown as Error & { code?: number }).code, status.NOT_FOUND);
});

test('a command that is too long is refused with the limit, and the next one runs', async (t) => {
  const { daemon } = stage();
  const container_id = await runScript(daemon, await runPod(daemon, 'long'), 'c', 'sleep 1000');
  const refused = async (cmd: string[]): Promise<[number, string]> => {
    const error = await t.throwsAsync<ServiceError>(daemon.cri.call('ExecSync', { container_id, cmd }));
    return [error?.code ?? 0, error?.details ?? ''];
  };
  const [wordCode, word] = await refused(['echo', 'x'.repeat(128 << 10)]);
  t.is(wordCode, status.INVALID_ARGUMENT);
  t.regex(word, /limit MAX_ARG_STRLEN/);
  const [allCode, all] = await refused(['echo', ...Array<string>(90).fill('x'.repeat(100_000))]);
  t.is(allCode, status.INVALID_ARGUMENT);
  t.regex(all, /limit ARG_MAX/);
  const [frameCode, frame] = await refused(['echo', ...Array<string>(60).fill('\x01'.repeat(100_000))]);
  t.is(frameCode, status.RESOURCE_EXHAUSTED);
  t.regex(frame, /limit MAX_FRAME_BYTES/);
  const longest = ['printf', '%s', 'x'.repeat((128 << 10) - 1)];
  t.is((await daemon.cri.call('ExecSync', { container_id, cmd: longest })).stdout.length, (128 << 10) - 1);
});

function processesWith(argument: string): string[] {
  return namesIn('/proc')
    .filter((pid) => textOf(`/proc/${pid}/cmdline`).split('\0').includes(argument));
}
