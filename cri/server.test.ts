import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CallOptions,
  type Client,
  credentials,
  makeClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { definitions, type Draft, encode, encodedList, type Rpcs } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import type { Fields } from '../api/observe.ts';
import { type CriServer, type RuntimeHandlers, startServer } from './server.ts';

type Line = { level: string; message: string; fields: Fields | undefined };
type Seen = { lines: Line[]; came: number; calls: [string, string][]; limits: string[] };

/** Starts a server in a directory of its own; both are gone when the test ends. */
async function serve(t: ExecutionContext, runtime: RuntimeHandlers, name = 'berth.sock') {
  const directory = mkdtempSync(join(tmpdir(), 'cri-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, name);
  const seen: Seen = { lines: [], came: 0, calls: [], limits: [] };
  const server = await listen(socket, runtime, seen);
  t.teardown(() => server.close(0));
  return { directory, socket, server, seen, call: await caller(t, socket) };
}

function listen(socket: string, runtime: RuntimeHandlers, seen: Seen = { lines: [], came: 0, calls: [], limits: [] }): Promise<CriServer> {
  const level = (name: string) => (message: string, fields?: Fields) => {
    seen.lines.push({ level: name, message, fields });
  };
  const log = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
  const rpc = (method: string, code: string): void => void seen.calls.push([method, code]);
  return startServer({ listen: socket, runtime, image: {}, control: {}, log, called: () => void seen.came++, rpc, limit: (name) => void seen.limits.push(name) });
}

/** Calls rpcs over a connection of its own, which is made before the first call. */
async function caller(t: ExecutionContext, socket: string) {
  const Connection = makeClientConstructor({ ...definitions().runtimeService, ...definitions().imageService }, 'cri');
  const client = new Connection(`unix:${socket}`, credentials.createInsecure()) as unknown as Client & Methods;
  t.teardown(() => client.close());
  await new Promise<void>((settle, fail) => client.waitForReady(Infinity, (error) => (error ? fail(error) : settle())));
  const call = <Name extends keyof Rpcs>(
    name: Name,
    request: Draft<Rpcs[Name]['request']>,
    options: CallOptions & { signal?: AbortSignal } = {},
  ): Promise<Rpcs[Name]['reply']> =>
    new Promise((settle, fail) => {
      const started = client[name](request, options, (error, reply) => (error ? fail(error) : settle(reply as never)));
      options.signal?.addEventListener('abort', () => started.cancel());
    });
  return Object.assign(call, { client });
}

type Methods = Record<keyof Rpcs, (request: object, options: object, done: Done) => { cancel(): void }>;
type Done = (error: ServiceError | null, reply?: object) => void;

const codeOf = async (call: Promise<unknown>): Promise<status> => {
  const error = await call.then(
    () => undefined,
    (refusal: ServiceError) => refusal,
  );
  return error?.code ?? status.OK;
};

test('a request reaches its handler typed and the reply comes back', async (t) => {
  const { call } = await serve(t, {
    Version: async ({ version }) => ({ version, runtime_name: 'berth' }),
  });
  const reply = await call('Version', { version: 'v1' });
  t.deepEqual(reply, { version: 'v1', runtime_name: 'berth', runtime_version: '', runtime_api_version: '' });
});

test('a handler may answer with bytes', async (t) => {
  const item = encode('PodSandbox', { id: 'a', created_at: '1754000000123456789' });
  const { call } = await serve(t, { ListPodSandbox: async () => encodedList([item, item]) });
  const { items } = await call('ListPodSandbox', {});
  t.deepEqual(
    items.map(({ id, created_at }) => [id, created_at]),
    Array(2).fill(['a', '1754000000123456789']),
  );
});

test('an error answers its code and text and is logged once, with what the call was about', async (t) => {
  const { call, seen } = await serve(t, {
    StartContainer: async ({ container_id }) => {
      throw new RuntimeError('not-found', `container ${container_id} is unknown`);
    },
  });
  const error = await t.throwsAsync<ServiceError>(call('StartContainer', { container_id: 'c1' }));
  t.is(error?.code, status.NOT_FOUND);
  t.is(error?.details, 'container c1 is unknown');
  t.deepEqual(seen.calls, [['StartContainer', 'NOT_FOUND']]);
  t.deepEqual(
    seen.lines.map(({ level, message, fields }) => [level, message, fields?.['container']]),
    [['warn', 'StartContainer failed: container c1 is unknown', 'c1']],
  );
});

test('a handler that throws at once is answered like one that rejects', async (t) => {
  const { call } = await serve(t, {
    Status: () => {
      throw new RuntimeError('unavailable', 'not yet');
    },
  });
  t.is(await codeOf(call('Status', {})), status.UNAVAILABLE);
});

test('a call that succeeds is logged at debug when it is polled, else at info', async (t) => {
  const { call, seen } = await serve(t, { Version: async () => ({}), StopContainer: async () => ({}) });
  await call('Version', {});
  await call('StopContainer', { container_id: 'c1', timeout: '1' });
  t.deepEqual(
    seen.lines.map(({ level, message }) => [level, message]),
    [
      ['debug', 'Version done'],
      ['info', 'StopContainer done'],
    ],
  );
});

test('an rpc without handler, of either service, is UNIMPLEMENTED', async (t) => {
  const { call } = await serve(t, {});
  t.is(await codeOf(call('CheckpointPod', {})), status.UNIMPLEMENTED);
  t.is(await codeOf(call('ListImages', {})), status.UNIMPLEMENTED);
});

/** Tries with ever longer deadlines, in milliseconds, until the machine was fast enough for one to mean something. */
async function withLongerDeadlines(attempt: (ms: number) => Promise<boolean>): Promise<void> {
  for (let ms = 500; !(await attempt(ms)); ms *= 2);
}

test.serial('the deadline aborts the handler as a timeout and the caller gets DEADLINE_EXCEEDED', async (t) => {
  const kinds = new Set<string>();
  const { call, seen } = await serve(t, {
    RunPodSandbox: async (_, { signal, deadlineMs }) => {
      t.true(Number.isFinite(deadlineMs));
      if (!signal.aborted) await once(signal, 'abort');
      kinds.add((signal.reason as RuntimeError).kind);
      throw signal.reason;
    },
  });
  await withLongerDeadlines(async (ms) => {
    t.is(await codeOf(call('RunPodSandbox', {}, { deadline: Date.now() + ms })), status.DEADLINE_EXCEEDED);
    await sleep(20);
    // A request that was long on its way is taken back, by its caller's clock, before its time has passed here.
    return kinds.has('timeout');
  });
  while (!seen.calls.some(([, code]) => code === 'DEADLINE_EXCEEDED')) await sleep(5);
  t.deepEqual(seen.calls.filter(([, code]) => code !== 'CANCELLED')[0], ['RunPodSandbox', 'DEADLINE_EXCEEDED']);
});

test('a caller that cancels aborts the handler as cancelled', async (t) => {
  const reason = Promise.withResolvers<unknown>();
  const started = Promise.withResolvers<void>();
  const { call, seen } = await serve(t, {
    ExecSync: async (_, { signal, deadlineMs }) => {
      t.is(deadlineMs, Infinity);
      started.resolve();
      t.is(seen.came, 1);
      await once(signal, 'abort');
      reason.resolve(signal.reason);
      return {};
    },
  });
  const abort = new AbortController();
  const code = codeOf(call('ExecSync', {}, { signal: abort.signal }));
  await started.promise;
  abort.abort();
  t.is(await code, status.CANCELLED);
  t.is(((await reason.promise) as RuntimeError).kind, 'cancelled');
  while (seen.calls.length === 0) await sleep(5);
  t.deepEqual(seen.calls, [['ExecSync', 'CANCELLED']]);
});

test('a caller whose connection breaks aborts the handler', async (t) => {
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  const { socket } = await serve(t, {
    ExecSync: async (_, { signal }) => {
      started.resolve();
      await once(signal, 'abort');
      aborted.resolve();
      return {};
    },
  });
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
  const { path } = definitions().runtimeService.ExecSync;
  session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' }).end(Buffer.alloc(5));
  await started.promise;
  session.destroy();
  await t.notThrowsAsync(aborted.promise);
});

test.serial('the signal does not abort when a call ends well', async (t) => {
  let signal: AbortSignal | undefined;
  const { call } = await serve(t, {
    Version: async (_, context) => {
      signal = context.signal;
      return {};
    },
  });
  await withLongerDeadlines(async (ms) => {
    const code = await codeOf(call('Version', {}, { deadline: Date.now() + ms }));
    await sleep(ms + 50);
    return code === status.OK;
  });
  t.false(signal?.aborted);
});

test('a stream sends every batch in order and ends with its iterator', async (t) => {
  const { call, seen } = await serve(t, {
    async *StreamPodSandboxes() {
      for (const id of ['a', 'b', 'c']) yield { pod_sandboxes: [{ id }] };
    },
  });
  const stream = (call.client as unknown as Streams).StreamPodSandboxes({});
  const ids: string[] = [];
  for await (const batch of stream) ids.push(...batch.pod_sandboxes.map(({ id }) => id));
  t.deepEqual(ids, ['a', 'b', 'c']);
  t.deepEqual(seen.calls, [['StreamPodSandboxes', 'OK']]);
});

test('a stream that fails answers its code after what it sent', async (t) => {
  const { call } = await serve(t, {
    async *StreamPodSandboxes() {
      yield { pod_sandboxes: [{ id: 'a' }] };
      throw new RuntimeError('unavailable', 'gone');
    },
  });
  const stream = (call.client as unknown as Streams).StreamPodSandboxes({});
  const error = await t.throwsAsync<ServiceError>(async () => {
    for await (const _ of stream);
  });
  t.is(error?.code, status.UNAVAILABLE);
});

type Streams = Record<'StreamPodSandboxes', (request: object) => AsyncIterable<{ pod_sandboxes: { id: string }[] }>>;

test('a message over 16 MiB is refused', async (t) => {
  const { call } = await serve(t, { Version: async () => ({}) });
  t.is(await codeOf(call('Version', { version: 'x'.repeat(17 << 20) })), status.RESOURCE_EXHAUSTED);
});

test('the socket is 0600 from the moment it appears and nothing else is left beside it but its lock', async (t) => {
  const { directory, socket } = await serve(t, {});
  t.is(statSync(socket).mode & 0o777, 0o600);
  t.deepEqual(readdirSync(directory).sort(), ['berth.sock', 'berth.sock.lock']);
});

test('a second server is refused while the first one goes on', async (t) => {
  const { socket, call } = await serve(t, { Version: async () => ({ version: 'first' }) });
  await t.throwsAsync(listen(socket, {}), { message: /another berthd serves/ });
  t.is((await call('Version', {})).version, 'first');
});

test('a server that knows nothing of the lock is not pushed aside', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cri-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, 'other.sock');
  const other = createServer().listen(socket);
  await once(other, 'listening');
  await t.throwsAsync(listen(socket, {}), { message: /another server listens on/ });
  other.close();
});

test('a socket whose server was killed is replaced, with its lock', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cri-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, 'berth.sock');
  const script = `
    const { startServer } = await import(${JSON.stringify(new URL('server.ts', import.meta.url).href)});
    const none = () => {};
    const log = { debug: none, info: none, warn: none, error: none };
    await startServer({ listen: ${JSON.stringify(socket)}, runtime: {}, image: {}, control: {}, log, rpc: none });
    console.log('ready');`;
  const args = ['--input-type=module', '-e', script];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await t.throwsAsync(listen(socket, {}), { message: /another berthd serves/ });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const server = await listen(socket, { Version: async () => ({ version: 'new' }) });
  t.teardown(() => server.close(0));
  t.is((await (await caller(t, socket))('Version', {})).version, 'new');
});

test('a path that is no socket is left alone', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cri-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'file'), 'precious');
  await t.throwsAsync(listen(join(directory, 'file'), {}), { message: /is no socket/ });
  mkdirSync(join(directory, 'x'.repeat(100)));
  await t.throwsAsync(listen(join(directory, 'x'.repeat(100), 's'), {}), { message: /bytes too long/ });
});

test.serial('close waits for running calls up to its bound and takes the socket away', async (t) => {
  const [arrived, both] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { call, server, socket } = await serve(t, {
    StopContainer: async () => {
      arrived.resolve();
      await sleep(150);
      return {};
    },
    ExecSync: () => {
      both.resolve();
      return new Promise(() => {});
    },
  });
  const running = codeOf(call('StopContainer', {}));
  const stuck = codeOf(call('ExecSync', {}));
  await Promise.all([arrived.promise, both.promise]);
  await server.close(2000);
  t.is(await running, status.OK);
  t.not(await stuck, status.OK);
  await t.throwsAsync(once(connect(socket), 'connect'), { code: 'ENOENT' });
});

test.serial('a client that hangs is not waited for longer than others', async (t) => {
  const { server, socket } = await serve(t, {});
  const hung = connect(socket);
  t.teardown(() => hung.destroy());
  // The preface of HTTP/2 and empty settings; after that it neither reads nor ends.
  hung.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  await once(hung, 'readable');
  const from = performance.now();
  await server.close(100);
  t.true(performance.now() - from < 8000);
});
