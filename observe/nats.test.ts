import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { connect } from 'nats';
import type { LifecycleEvent } from '../api/events.ts';
import type { Counter } from '../api/observe.ts';
import { openEvents } from './events.ts';
import { type NatsOptions, publishToNats } from './nats.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function podEvent(podId: string): LifecycleEvent {
  return { type: 'pod.ready', atNs: 1_700_000_000_000_000_123n, podId };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function natsServer(t: ExecutionContext, port: number, args: string[] = []): Promise<ChildProcess> {
  const server = spawn('/usr/sbin/nats-server', ['-a', '127.0.0.1', '-p', String(port), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => stop(server));
  for await (const chunk of server.stderr) if (String(chunk).includes('Server is ready')) break;
  return server;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill();
  await once(server, 'exit');
}

async function listen(t: ExecutionContext, servers: string, login: object = {}): Promise<(count: number) => Promise<Heard[]>> {
  const connection = await connect({ servers, ...login });
  t.teardown(() => connection.close());
  const subscription = connection.subscribe('berth.v1.>');
  await connection.flush();
  const messages = subscription[Symbol.asyncIterator]();
  return async (count) => {
    const heard: Heard[] = [];
    while (heard.length < count) {
      const { value } = await messages.next();
      heard.push({ subject: value.subject, body: value.json(), id: value.headers?.get('Nats-Msg-Id') ?? '' });
    }
    return heard;
  };
}

type Heard = { subject: string; body: { podId: string }; id: string };

function publisher(t: ExecutionContext, options: Partial<NatsOptions> & { url: string }) {
  const events = openEvents(silent);
  const counted = new Map<Counter, number>();
  const meter = { stage() {}, limit() {}, count: (counter: Counter, by = 1) => void counted.set(counter, (counted.get(counter) ?? 0) + by) };
  const sink = publishToNats({ subscribe: events.subscribe, log: silent, meter, retryMs: 50, ...options });
  t.teardown(() => sink.close());
  return { publish: events.publish, dropped: () => counted.get('events_dropped') ?? 0 };
}

test('an event arrives as JSON on the subject of its type', async (t) => {
  const port = await freePort();
  await natsServer(t, port);
  const hear = await listen(t, `127.0.0.1:${port}`);
  const { publish } = publisher(t, { url: `nats://127.0.0.1:${port}` });
  publish({ ...podEvent('p1'), podName: 'web' });
  const [message] = await hear(1);
  t.is(message?.subject, 'berth.v1.pod.ready');
  t.deepEqual(message?.body, { type: 'pod.ready', podId: 'p1', podName: 'web', atNs: '1700000000000000123' } as object as { podId: string });
});

test('a server that comes later gets the newest events; the others are dropped and counted', async (t) => {
  const port = await freePort();
  const { publish, dropped } = publisher(t, { url: `nats://127.0.0.1:${port}`, queueEvents: 3, retryMs: 1500 });
  for (const id of ['p1', 'p2', 'p3', 'p4', 'p5']) publish(podEvent(id));
  t.is(dropped(), 2);
  await sleep(300);
  await natsServer(t, port);
  const hear = await listen(t, `127.0.0.1:${port}`);
  const heard = await hear(3);
  t.deepEqual(heard.map((message) => message.body.podId), ['p3', 'p4', 'p5']);
  t.is(new Set(heard.map((message) => message.id)).size, 3);
});

test('a server that goes away blocks nothing and is used again when it is back', async (t) => {
  const port = await freePort();
  const first = await natsServer(t, port);
  const hear = await listen(t, `127.0.0.1:${port}`);
  const { publish, dropped } = publisher(t, { url: `nats://127.0.0.1:${port}`, retryMs: 1000 });
  publish(podEvent('before'));
  t.is((await hear(1))[0]?.body.podId, 'before');
  await stop(first);
  publish(podEvent('meanwhile'));
  await natsServer(t, port);
  const hearAgain = await listen(t, `127.0.0.1:${port}`);
  publish(podEvent('after'));
  t.deepEqual((await hearAgain(2)).map((message) => message.body.podId), ['meanwhile', 'after']);
  t.is(dropped(), 0);
});

test('user and password of the URL are used', async (t) => {
  const port = await freePort();
  await natsServer(t, port, ['--user', 'me', '--pass', 'p@ss']);
  const hear = await listen(t, `127.0.0.1:${port}`, { user: 'me', pass: 'p@ss' });
  const { publish } = publisher(t, { url: `nats://me:p%40ss@127.0.0.1:${port}` });
  publish(podEvent('p1'));
  t.is((await hear(1))[0]?.body.podId, 'p1');
});

test('closing ends at once, also while the server is away', async (t) => {
  const events = openEvents(silent);
  const sink = publishToNats({
    url: `nats://127.0.0.1:${await freePort()}`, subscribe: events.subscribe, log: silent, meter: { stage() {}, count() {}, limit() {} },
  });
  await sleep(200);
  const from = performance.now();
  await sink.close();
  t.true(performance.now() - from < 500);
});
