import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import { defaultLimits, type StreamingLimits } from './limits.ts';
import { type Listener, listenForStreams } from './listener.ts';

/** A listener that answers each upgrade with its path and ends, and what limits it has turned clients away by. */
async function listen(t: ExecutionContext, given: Partial<StreamingLimits> = {}) {
  const hits: string[] = [];
  const listener = await listenForStreams({
    address: '127.0.0.1',
    port: 0,
    limits: { ...defaultLimits, ...given },
    onUpgrade: (request, socket) => void socket.end(`upgraded ${request.url}`),
    onLimit: (name) => void hits.push(name),
    onError: (error) => t.fail(error.message),
  });
  t.teardown(listener.close);
  return { listener, hits, client: () => client(listener) };
}

function client({ origin }: Listener): Socket {
  const { hostname, port } = new URL(origin);
  return connect(Number(port), hostname).on('error', () => undefined);
}

/** What came until the connection was closed, be it by a reset: bytes that nobody read any more are on their way. */
function saidBeforeItsEnd(socket: Socket): Promise<string> {
  let said = '';
  socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
  return new Promise((settle) => socket.once('close', () => settle(said)));
}

const request = (headers: string): string => `GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n${headers}\r\n`;

test('a request to upgrade is handed on, any other one told what is served here', async (t) => {
  const { client } = await listen(t);
  const upgrading = client();
  upgrading.write(request(''));
  t.is(await text(upgrading), 'upgraded /x');
  const asking = client();
  asking.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.regex(await text(asking), /^HTTP\/1\.1 400 [\s\S]*unable to upgrade/);
  const mumbling = client();
  mumbling.write('\x16\x03\x01 hello\r\n\r\n');
  t.regex(await text(mumbling), /^HTTP\/1\.1 400 [\s\S]*no HTTP\/1\.1 request/);
});

test('headers that are too long or too many are refused with the limit', async (t) => {
  const { client, hits } = await listen(t, { maxHeaderBytes: 2000, maxHeaders: 10 });
  const long = client();
  long.write(request(`Long: ${'x'.repeat(4000)}\r\n`));
  t.regex(await text(long), /^HTTP\/1\.1 431 [\s\S]*limit maxHeaderBytes, 2000/);
  const many = client();
  many.write(request('A: b\r\n'.repeat(8)));
  t.regex(await text(many), /^HTTP\/1\.1 431 [\s\S]*limit maxHeaders, 10/);
  const enough = client();
  enough.write(request('A: b\r\n'.repeat(7)));
  t.is(await text(enough), 'upgraded /x');
  t.deepEqual(hits, ['maxHeaderBytes', 'maxHeaders']);
});

test('a request that trickles in, and a client that says nothing, are cut off in time', async (t) => {
  const { client, hits } = await listen(t, { requestMs: 300 });
  const slow = client();
  const trickle = setInterval(() => slow.writable && slow.write('A: b\r\n'), 20);
  t.teardown(() => clearInterval(trickle));
  slow.write('GET /x HTTP/1.1\r\n');
  const fromMs = performance.now();
  t.regex(await saidBeforeItsEnd(slow), /^HTTP\/1\.1 408 [\s\S]*limit requestMs, 300/);
  t.regex(await text(client()), /^HTTP\/1\.1 408 [\s\S]*limit requestMs, 300/);
  t.true(performance.now() - fromMs < 30_000);
  t.deepEqual(hits, ['requestMs', 'requestMs']);
});

test('of too many incomplete requests the oldest goes, so that who is quick is always served', async (t) => {
  const { client, hits } = await listen(t, { maxRequests: 3 });
  const lazy: Socket[] = [];
  for (let i = 0; i < 3; i++) {
    lazy.push(client());
    await once(lazy[i]!, 'connect');
  }
  const quick = client();
  quick.write(request(''));
  t.is(await text(quick), 'upgraded /x');
  t.regex(await text(lazy[0]!), /^HTTP\/1\.1 503 [\s\S]*limit maxRequests, 3/);
  t.true(lazy[1]!.writable && lazy[2]!.writable);
  t.deepEqual(hits, ['maxRequests']);
});

test('it ends while requests are incomplete, and a port that is taken is told', async (t) => {
  const { listener, client } = await listen(t);
  const lazy = client();
  await once(lazy, 'connect');
  const { port } = new URL(listener.origin);
  const options = { address: '127.0.0.1', limits: defaultLimits, onUpgrade() {}, onLimit() {}, onError() {} };
  const taken = await t.throwsAsync(listenForStreams({ ...options, port: Number(port) }));
  t.true(isKind(taken, 'in-use'));
  t.regex(taken?.message ?? '', /--stream-port/);
  await listener.close();
  await once(lazy, 'close');
  t.true(isKind(await t.throwsAsync(listenForStreams({ ...options, address: '192.0.2.1', port: 0 })), 'unavailable'));
});
