import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
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

type Server = { address: string; process: ChildProcess };

async function natsServer(t: ExecutionContext, args: string[] = []): Promise<Server> {
  const server = spawn('/usr/sbin/nats-server', ['-a', '127.0.0.1', '-p', '-1', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => stop(server));
  let said = '';
  for await (const chunk of server.stderr) {
    said += chunk;
    if (said.includes('Server is ready')) break;
  }
  return { address: /client connections on (\S+)/.exec(said)?.[1] ?? said, process: server };
}

/** The address of a server that comes and goes: whoever connects while it is away is cut off. */
async function comingAndGoing(t: ExecutionContext) {
  const sockets = new Set<Socket>();
  let [server, tries] = ['', 0];
  const join = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('error', () => undefined).once('close', () => to.destroy());
    from.pipe(to);
  };
  const gate = createServer((client) => {
    tries++;
    if (server === '') return client.on('error', () => undefined).destroy();
    const [host = '', port] = server.split(':');
    const onward = connectTcp(Number(port), host);
    join(client, onward);
    join(onward, client);
    return undefined;
  }).listen(0, '127.0.0.1');
  await once(gate, 'listening');
  const lead = (to: string): void => {
    server = to;
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(() => {
    lead('');
    gate.close();
  });
  return { url: `nats://127.0.0.1:${(gate.address() as AddressInfo).port}`, lead, tried: () => tries };
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
  const { address } = await natsServer(t);
  const hear = await listen(t, address);
  const { publish } = publisher(t, { url: `nats://${address}` });
  publish({ ...podEvent('p1'), podName: 'web' });
  const [message] = await hear(1);
  t.is(message?.subject, 'berth.v1.pod.ready');
  t.deepEqual(message?.body, { type: 'pod.ready', podId: 'p1', podName: 'web', atNs: '1700000000000000123' } as object as { podId: string });
});

test('a server that comes later gets the newest events; the others are dropped and counted', async (t) => {
  const { url, lead } = await comingAndGoing(t);
  const { publish, dropped } = publisher(t, { url, queueEvents: 3 });
  for (const id of ['p1', 'p2', 'p3', 'p4', 'p5']) publish(podEvent(id));
  t.is(dropped(), 2);
  const { address } = await natsServer(t);
  const hear = await listen(t, address);
  lead(address);
  const heard = await hear(3);
  t.deepEqual(heard.map((message) => message.body.podId), ['p3', 'p4', 'p5']);
  t.is(new Set(heard.map((message) => message.id)).size, 3);
});

test('a server that goes away blocks nothing and is used again when it is back', async (t) => {
  const { url, lead } = await comingAndGoing(t);
  const first = await natsServer(t);
  const hear = await listen(t, first.address);
  lead(first.address);
  const { publish, dropped } = publisher(t, { url });
  publish(podEvent('before'));
  const [before] = await hear(1);
  t.is(before?.body.podId, 'before');
  lead('');
  await stop(first.process);
  publish(podEvent('meanwhile'));
  const second = await natsServer(t);
  const hearAgain = await listen(t, second.address);
  lead(second.address);
  publish(podEvent('after'));
  const heard: Heard[] = [];
  // What the first server had may come once more, when its word of that did not.
  while (heard.length < 2) heard.push(...(await hearAgain(1)).filter(({ id }) => id !== before?.id));
  t.deepEqual(heard.map((message) => message.body.podId), ['meanwhile', 'after']);
  t.is(dropped(), 0);
});

test('user and password of the URL are used', async (t) => {
  const { address } = await natsServer(t, ['--user', 'me', '--pass', 'p@ss']);
  const hear = await listen(t, address, { user: 'me', pass: 'p@ss' });
  const { publish } = publisher(t, { url: `nats://me:p%40ss@${address}` });
  publish(podEvent('p1'));
  t.is((await hear(1))[0]?.body.podId, 'p1');
});

test('closing ends at once, also while the server is away', async (t) => {
  const { url, tried } = await comingAndGoing(t);
  const events = openEvents(silent);
  const sink = publishToNats({
    url, retryMs: 60_000, subscribe: events.subscribe, log: silent, meter: { stage() {}, count() {}, limit() {} },
  });
  while (tried() === 0) await new Promise(setImmediate);
  const from = performance.now();
  await sink.close();
  t.true(performance.now() - from < 30_000);
});
