import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { crictl } from './harness/crictl.ts';
import type { Daemon } from './harness/daemon.ts';
import { createContainer, containerConfig, exitOf, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { type Held, memoryKiB } from './harness/sessions.ts';
import { story } from './harness/story.ts';
import { openSocket, startCrictl } from './harness/streams.ts';

const stage = story();

const codeOf = async (call: Promise<unknown>): Promise<number> =>
  await call.then(
    () => status.OK,
    (error: { code: number }) => error.code,
  );

async function idle(daemon: Daemon, name: string): Promise<string> {
  return await runScript(daemon, await runPod(daemon, name), 'c', 'sleep 1000');
}

for (const transport of ['spdy', 'websocket']) {
  test(`exec over ${transport}: output, error output and exit code reach the client apart`, async (t) => {
    const { daemon } = stage();
    const container = await idle(daemon, `exec-${transport}`);
    const result = await crictl(
      daemon,
      'exec',
      '-r',
      transport,
      container,
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    t.is(result.stdout, 'out\n');
    t.regex(result.stderr, /^err\n/);
    t.regex(result.stderr, /exit code 7/);
    t.not(result.code, 0);
    t.is((await crictl(daemon, 'exec', '-r', transport, container, 'true')).code, 0);
  });

  test(`exec over ${transport}: megabytes pass through stdin and back, and the command sees their end`, async (t) => {
    const { daemon } = stage();
    const container = await idle(daemon, `bulk-${transport}`);
    const bytes = Buffer.alloc(24 << 20, 'some bytes ');
    const sum = startCrictl(
      daemon,
      'exec',
      '-i',
      '-r',
      transport,
      container,
      'sh',
      '-c',
      'cat | tee /dev/stderr | md5sum',
    );
    sum.stdin.end(bytes);
    t.is(await sum.ended, 0, sum.stderr().slice(-500));
    t.is(sum.stdout().split(' ')[0], createHash('md5').update(bytes).digest('hex'));
    t.is(sum.stderr().length, bytes.length);
  });

  test(`attach over ${transport}: two clients share the output, one writes, and its end ends the container`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, `attach-${transport}`);
    const script = 'while read line; do echo "got $line"; done; echo over';
    const container = await createContainer(
      daemon,
      pod,
      containerConfig('c', ['sh', '-c', script], { stdin: true, stdin_once: true }),
    );
    await daemon.cri.call('StartContainer', { container_id: container });
    const writer = startCrictl(daemon, 'attach', '-i', '-r', transport, container);
    const reader = startCrictl(daemon, 'attach', '-r', transport, container);
    t.teardown(() => reader.child.kill('SIGKILL'));
    const written = setInterval(() => writer.stdin.write('x\n'), 200);
    t.teardown(() => clearInterval(written));
    await until(() => writer.stdout().includes('got x') && reader.stdout().includes('got x'), 60_000, 'both to see it');
    clearInterval(written);
    writer.stdin.end('last\n');
    t.is(await writer.ended, 0, writer.stderr());
    t.is(await reader.ended, 0, reader.stderr());
    t.regex(writer.stdout(), /got last\nover\n$/);
    t.is((await exitOf(daemon, container)).exit_code, 0);
  });
}

test('an exec that nobody reads from waits, costs no memory and hurts nobody else', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'slow');
  const flood = startCrictl(daemon, 'exec', container, 'sh', '-c', 'head -c 100000000 /dev/zero; echo done >&2');
  flood.child.stdout?.pause();
  flood.child.kill('SIGSTOP');
  const before = memoryKiB(daemon);
  await noGrowth(t, daemon, before);
  t.is((await crictl(daemon, 'exec', container, 'echo', 'served')).stdout, 'served\n');
  flood.child.stdout?.removeAllListeners('data');
  flood.child.stdout?.resume();
  flood.child.kill('SIGCONT');
  t.is(await flood.ended, 0);
  t.regex(flood.stderr(), /^done/);
});

for (const transport of ['spdy', 'websocket']) {
  test(`stdin over ${transport} that the command does not read waits at the client, and costs no memory`, async (t) => {
    const { daemon } = stage();
    const container = await idle(daemon, `unread-${transport}`);
    const command = ['sh', '-c', 'echo up; sleep 4; md5sum'];
    const unread = startCrictl(daemon, 'exec', '-i', '-r', transport, container, ...command);
    await until(() => unread.stdout() === 'up\n', 60_000, 'the command to run');
    const before = memoryKiB(daemon);
    const bytes = Buffer.alloc(64 << 20, 'some bytes ');
    unread.stdin.end(bytes);
    await noGrowth(t, daemon, before);
    t.is(await unread.ended, 0, unread.stderr());
    t.is(unread.stdout().split(/\s/)[1], createHash('md5').update(bytes).digest('hex'));
  });
}

test('an attached client that does not keep up is dropped and told, while the others and the container go on', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'behind');
  const script = 'while :; do echo up; sleep 0.1; done & read line; kill $!; head -c 24000000 /dev/zero; echo over';
  const config = containerConfig('c', ['sh', '-c', script], { stdin: true, stdin_once: true });
  const container = await createContainer(daemon, pod, config);
  await daemon.cri.call('StartContainer', { container_id: container });
  const slow = startCrictl(daemon, 'attach', container);
  const quick = startCrictl(daemon, 'attach', '-i', container);
  t.teardown(() => slow.child.kill('SIGKILL'));
  await until(() => [slow, quick].every(({ stdout }) => stdout().includes('up')), 60_000, 'both to be attached');
  slow.child.kill('SIGSTOP');
  quick.stdin.write('go\n');
  await until(() => quick.endsWith('over\n'), 60_000, 'the quick one to get all');
  t.is(await quick.ended, 0);
  slow.child.kill('SIGCONT');
  t.not(await slow.ended, 0);
  t.regex(slow.stderr(), /too slow/);
  t.is((await exitOf(daemon, container)).exit_code, 0);
});

test('an exec ends with its client, with its container and with the code of the signal', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'ends');
  const abandoned = startCrictl(daemon, 'exec', '-i', container, 'sh', '-c', 'echo up; exec sleep 4321');
  await until(() => abandoned.stdout() === 'up\n', 60_000, 'the exec to run');
  abandoned.child.kill('SIGKILL');
  await until(
    async () => (await crictl(daemon, 'exec', container, 'pgrep', '-f', 'sleep 432[1]')).stdout === '',
    60_000,
    'it to be killed',
  );

  const killed = startCrictl(daemon, 'exec', container, 'sh', '-c', 'echo up; sleep 1000');
  await until(() => killed.stdout() === 'up\n', 60_000, 'the exec to run');
  await daemon.cri.call('StopContainer', { container_id: container, timeout: 0 });
  await killed.ended;
  t.regex(killed.stderr(), /exit code 137/);
});

test('a command that cannot start is told to the client', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'missing');
  const result = await crictl(daemon, 'exec', container, '/no/such/program');
  t.not(result.code, 0);
  t.regex(result.stderr, /no such file/);
});

test('every WebSocket protocol of exec carries stdin, stdout, stderr and status as it should', async (t) => {
  const { daemon } = stage();
  const container_id = await idle(daemon, 'protocols');
  const cmd = ['sh', '-c', 'echo up; read line; echo "got $line"; echo err >&2; exit 3'];
  for (const protocol of [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
    'v4.base64.channel.k8s.io',
    'channel.k8s.io',
    'base64.channel.k8s.io',
    '',
  ]) {
    const { url } = await daemon.cri.call('Exec', { container_id, cmd, stdin: true, stdout: true, stderr: true });
    const socket = await openSocket(url, protocol);
    t.is(socket.protocol, protocol);
    socket.send(0, 'it\n');
    await socket.closed;
    t.is(socket.text(1), 'up\ngot it\n', protocol);
    t.is(socket.text(2), 'err\n', protocol);
    if (protocol.startsWith('v')) t.is((JSON.parse(socket.text(3)) as { reason: string }).reason, 'NonZeroExitCode');
    else t.is(socket.text(3), 'command terminated with non-zero exit code: exit status 3');
  }
});

test('a v5 WebSocket ends stdin alone', async (t) => {
  const { daemon } = stage();
  const container_id = await idle(daemon, 'half');
  const { url } = await daemon.cri.call('Exec', {
    container_id,
    cmd: ['sh', '-c', 'cat; echo end'],
    stdin: true,
    stdout: true,
  });
  const socket = await openSocket(url, 'v5.channel.k8s.io');
  socket.send(0, 'all\n');
  socket.end(0);
  await socket.closed;
  t.is(socket.text(1), 'all\nend\n');
  t.is(socket.text(3), '{"metadata":{},"status":"Success"}');
});

test('a URL works once; unknown ones, other kinds and protocols nobody speaks are refused', async (t) => {
  const { daemon } = stage();
  const container_id = await idle(daemon, 'refused');
  const urlOf = async (): Promise<string> =>
    (await daemon.cri.call('Exec', { container_id, cmd: ['true'], stdout: true })).url;
  const url = await urlOf();
  await (await openSocket(url, 'v4.channel.k8s.io')).closed;
  await t.throwsAsync(openSocket(url, 'v4.channel.k8s.io'));
  await t.throwsAsync(openSocket((await urlOf()).replace('/exec/', '/attach/'), 'v4.channel.k8s.io'));
  await t.throwsAsync(openSocket(`${await urlOf()}_`, 'v4.channel.k8s.io'));
  await t.throwsAsync(openSocket(await urlOf(), 'v9.channel.k8s.io'));
  t.is((await fetch(await urlOf())).status, 400);
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{22,}$/);
});

test('Exec, Attach and PortForward refuse what cannot be done', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'invalid');
  const container_id = await runScript(daemon, pod, 'c', 'exit 0');
  const [unknown, cmd] = ['f'.repeat(64), ['true']];
  await exitOf(daemon, container_id);
  t.is(await codeOf(daemon.cri.call('Exec', { container_id: unknown, cmd, stdout: true })), status.NOT_FOUND);
  t.is(await codeOf(daemon.cri.call('Attach', { container_id: unknown, stdout: true })), status.NOT_FOUND);
  t.is(await codeOf(daemon.cri.call('PortForward', { pod_sandbox_id: unknown })), status.NOT_FOUND);
  t.is(await codeOf(daemon.cri.call('Exec', { container_id, cmd, stdout: true })), status.NOT_FOUND);
  const running = await runScript(daemon, pod, 'r', 'sleep 1000');
  t.is(await codeOf(daemon.cri.call('Exec', { container_id: running, cmd })), status.INVALID_ARGUMENT);
  t.is(await codeOf(daemon.cri.call('Attach', { container_id: running })), status.INVALID_ARGUMENT);
  const both = { container_id: running, cmd, stdout: true, stderr: true, tty: true };
  t.is(await codeOf(daemon.cri.call('Exec', both)), status.INVALID_ARGUMENT);
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.is(await codeOf(daemon.cri.call('PortForward', { pod_sandbox_id: pod.id })), status.FAILED_PRECONDITION);
});

/** For a second and a half neither the daemon nor a shim takes more than a few buffers. */
async function noGrowth(t: ExecutionContext, daemon: Daemon, before: Held): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const after = memoryKiB(daemon);
  const more = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  t.true(more('berthd') < 32_768, `berthd: ${more('berthd')} KiB more`);
  t.true(more('berth-shim') < 1024, `shims: ${more('berth-shim')} KiB more`);
}
