import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { Daemon } from './harness/daemon.ts';
import { echoIn } from './harness/echo.ts';
import { podConfig, runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { memoryKiB } from './harness/sessions.ts';
import { story } from './harness/story.ts';
import { ask, openSocket, startCrictl, type Streaming } from './harness/streams.ts';

const stage = story();

type Forwarded = { port: number; crictl: Streaming };

async function forward(
  t: ExecutionContext,
  daemon: Daemon,
  pod: string,
  { to = 8080, transport = 'spdy' } = {},
): Promise<Forwarded> {
  const port = await freePort();
  const crictl = startCrictl(daemon, 'port-forward', '-r', transport, pod, `${port}:${to}`);
  t.teardown(() => crictl.child.kill('SIGKILL'));
  await until(() => crictl.stdout().includes('Forwarding from'), 60_000, 'crictl to listen');
  return { port, crictl };
}

for (const transport of ['spdy', 'websocket']) {
  test(`a forwarded port over ${transport} carries many connections at once, each ending half by half`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, `many-${transport}`);
    await echoIn(t, pod, '127.0.0.1', 8080);
    const { port } = await forward(t, daemon, pod.id, { transport });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(port, `question ${i}`)));
    t.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, i) => `heard question ${i}`),
    );
  });
}

test('a port that listens on IPv6 alone is reached', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'six');
  await echoIn(t, pod, '::1', 8080);
  const { port } = await forward(t, daemon, pod.id);
  t.is(await ask(port, 'six'), 'heard six');
});

test('a pod in the host network has the ports of the host', async (t) => {
  const { daemon } = stage();
  const server = createServer((socket: Socket) => socket.end('host'));
  t.teardown(() => server.close());
  const to = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(to, '127.0.0.1', resolve);
  });
  const linux = podConfig(daemon, 'x')['linux'] as { security_context: { namespace_options: object } };
  const security_context = { namespace_options: { ...linux.security_context.namespace_options, network: 2 } };
  const pod = await runPod(daemon, 'host', { linux: { ...linux, security_context } });
  const { port } = await forward(t, daemon, pod.id, { to });
  t.is(await ask(port, ''), 'host');
});

test('what nobody reads from a forwarded port waits in the pod, and costs no memory', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'unread');
  const bytes = 64 << 20;
  await runScript(daemon, pod, 'c', `nc -l -p 8080 -e head -c ${bytes} /dev/zero`);
  const { port } = await forward(t, daemon, pod.id);
  const before = memoryKiB(daemon);
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'readable');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const after = memoryKiB(daemon);
  for (const [name, roomKiB] of [['berthd', 32_768], ['berth-shim', 1024]] as const) {
    t.true((after[name] ?? 0) - (before[name] ?? 0) < roomKiB, `${name}: ${before[name]} KiB, then ${after[name]}`);
  }
  let got = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) got += chunk.length;
  t.is(got, bytes);
});

test('a port where nobody listens is told to the client', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'silent');
  const { port, crictl } = await forward(t, daemon, pod.id);
  t.is(await ask(port, 'too early'), '');
  await until(() => /onnection refused/.test(crictl.stderr()), 60_000, 'crictl to say why');
});

test('connections into a pod end with it', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'stopped');
  await echoIn(t, pod, '127.0.0.1', 8080);
  const { port } = await forward(t, daemon, pod.id);
  const socket = connect({ port, host: '127.0.0.1' });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  socket.on('error', () => undefined).write('now');
  await new Promise((resolve) => socket.once('data', resolve));
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  await closed;
  t.pass();
});

for (const protocol of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
  test(`port-forward over ${protocol}: two channels for each port, which name it first`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, `channels-${protocol.includes('64') ? 'text' : 'binary'}`);
    await echoIn(t, pod, '127.0.0.1', 8080);
    const { url } = await daemon.cri.call('PortForward', { pod_sandbox_id: pod.id, port: [8080, 9] });
    const socket = await openSocket(url, protocol);
    socket.send(0, 'now');
    const name = (port: number): string => Buffer.from([port & 255, port >> 8]).toString();
    await until(() => socket.text(0) === `${name(8080)}now`, 60_000, 'the echo');
    t.is(socket.text(1), name(8080));
    t.is(socket.text(2), name(9));
    await until(() => /port 9 .*refused/.test(socket.text(3)), 60_000, 'the other port to fail');
    socket.close();
    await socket.closed;
  });
}
