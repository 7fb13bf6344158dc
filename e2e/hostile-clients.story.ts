import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { crictl } from './harness/crictl.ts';
import type { Daemon } from './harness/daemon.ts';
import { below, entriesIn } from './harness/files.ts';
import { callBody, callHead, emptyData, endlessHeaders, flood, ping, preface, reset, settings } from './harness/http2.ts';
import { exec, runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { startCrictl } from './harness/streams.ts';

const metricsPort = await freePort();
const stage = story({ daemon: { args: ['--metrics-address', `127.0.0.1:${metricsPort}`, '--stream-idle-timeout', '4s'] } });

/** The container's Exec URL taken apart. */
async function execUrl(daemon: Daemon, container_id: string): Promise<URL> {
  return new URL((await daemon.cri.call('Exec', { container_id, cmd: ['true'], stdout: true })).url);
}

async function idle(daemon: Daemon, name: string): Promise<string> {
  return await runScript(daemon, await runPod(daemon, name), 'c', 'sleep 1000');
}

function clientOf({ hostname, port }: URL): Socket {
  return connect(Number(port), hostname).on('error', () => undefined);
}

async function answerTo(url: URL, request: string): Promise<string> {
  const client = clientOf(url);
  client.write(request);
  return await text(client);
}

function residentMiB(daemon: Daemon): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${daemon.pid()}/status`, 'utf8'))?.[1]) / 1024;
}

async function limitHits(name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(new RegExp(`^berth_limit_hits_total\\{limit="${name}"\\} (\\d+)$`, 'm').exec(page)?.[1] ?? 0);
}

/** The daemon has survived, answers soon and has not grown by much. */
async function unharmed(t: ExecutionContext, daemon: Daemon, before: { pid: number; MiB: number }): Promise<void> {
  const fromMs = performance.now();
  await daemon.cri.call('Version', {});
  t.true(performance.now() - fromMs < 10_000, 'the answer is late');
  t.is(daemon.pid(), before.pid);
  t.true(daemon.isRunning());
  t.true(residentMiB(daemon) - before.MiB < 48, `${before.MiB} MiB, then ${residentMiB(daemon)}`);
}

const now = (daemon: Daemon) => ({ pid: daemon.pid(), MiB: residentMiB(daemon) });

test('sockets are for root alone, and so are the directories of state and images', async (t) => {
  const { daemon } = stage();
  await idle(daemon, 'modes');
  const sockets = below(daemon.state).map(({ path }) => ({ path, stat: lstatSync(path) })).filter(({ stat }) => stat.isSocket());
  t.true(sockets.length >= 2);
  t.deepEqual(sockets.filter(({ stat }) => (stat.mode & 0o077) !== 0).map(({ path }) => path), []);
  const modeOf = (path: string): number => lstatSync(path).mode & 0o777;
  for (const top of [daemon.state, daemon.root]) {
    const folders = entriesIn(top).filter((entry) => entry.isDirectory()).map(({ name }) => join(top, name));
    t.deepEqual(folders.filter((path) => (modeOf(path) & 0o066) !== 0), [], 'nobody else lists or changes what is in them');
  }
  const configurations = below(join(daemon.state, 'containers')).filter(({ path }) => path.endsWith('/config.json'));
  t.deepEqual(configurations.map(({ path }) => modeOf(path)), [0o600], 'nobody else reads the environment of a container');
});

test('the streaming server refuses what it does not know or takes too long, and names the limit', async (t) => {
  const { daemon } = stage();
  const url = await execUrl(daemon, await idle(daemon, 'refusals'));
  const upgrade = (path: string, more = ''): string =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${more}\r\n`;
  for (const path of ['/', '/exec/', '/exec/../exec/x', `/exec/${'a'.repeat(24)}`, '/cri/exec', '//', '*', '/%00']) {
    t.regex(await answerTo(url, upgrade(path)), /^HTTP\/1\.1 404 [\s\S]*ask for a new URL \(limit tokenLifeMs, 60000\)/, path);
  }
  t.regex(await answerTo(url, upgrade('/', `Long: ${'x'.repeat(20_000)}\r\n`)), /^HTTP\/1\.1 431 [\s\S]*limit maxHeaderBytes/);
  t.regex(await answerTo(url, upgrade('/', 'A: b\r\n'.repeat(200))), /^HTTP\/1\.1 431 [\s\S]*limit maxHeaders, 100/);
  t.regex(await answerTo(url, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'), /^HTTP\/1\.1 400 /);
  t.regex(await answerTo(url, '\0\0\0nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
  t.is(await limitHits('maxHeaders'), 1);
  t.is(await limitHits('maxHeaderBytes'), 1);
});

test('a stream in which nothing moves is ended, with its command, and its client is told the limit', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'still');
  const busy = startCrictl(daemon, 'exec', container, 'sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 1; done');
  const still = startCrictl(daemon, 'exec', container, 'sleep', '76543');
  t.not(await still.ended, 0);
  t.regex(still.stderr(), /nothing came or went for 4 s \(limit idleMs\)/);
  await until(async () => (await exec(daemon, container, 'pgrep -f "sleep 7654[3]"')).stdout === '', 60_000, 'it to be killed');
  t.is(await busy.ended, 0, busy.stderr());
});

test('hundreds of clients that never finish their request keep nobody from a stream, and are cut off', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'slow');
  const url = await execUrl(daemon, container);
  const before = now(daemon);
  const slow = Array.from({ length: 400 }, () => clientOf(url));
  t.teardown(() => slow.forEach(close));
  const answers = slow.map(async (client, at) => {
    if (at % 2 === 0) client.write(`GET ${url.pathname} HTTP/1.1\r\nSlow: `);
    return await text(client);
  });
  await until(async () => (await limitHits('maxRequests')) > 0, 60_000, 'the first of them to be cut off');
  t.is((await crictl(daemon, 'exec', container, 'echo', 'served')).stdout, 'served\n');
  const told = (await Promise.all(answers)).map((answer) => /limit (\w+)/.exec(answer)?.[1] ?? answer);
  t.deepEqual([...new Set(told)].sort(), ['maxRequests', 'requestMs']);
  await unharmed(t, daemon, before);
});

test('the CRI socket refuses messages that are too large or malformed, and bytes that are no HTTP/2', async (t) => {
  const { daemon } = stage();
  const before = now(daemon);
  const large = { container_id: 'x'.repeat(17 << 20) };
  const error = await t.throwsAsync<ServiceError>(daemon.cri.call('ContainerStatus', large));
  t.is(error?.code, status.RESOURCE_EXHAUSTED);
  t.regex(error?.details ?? '', /larger than max \(\d+ vs 16777216\)/);
  for (const nonsense of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\0'.repeat(1000), `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(100)}`]) {
    const client = connect(daemon.socket).on('error', () => undefined);
    client.write(nonsense, 'latin1');
    await text(client).catch(() => undefined);
  }
  const malformed = Buffer.from('0affffffff0f', 'hex');
  await flood(daemon.socket, 100, (at) => {
    const stream = 2 * at + 1;
    return Buffer.concat([callHead(stream, 'ContainerStatus'), callBody(stream, malformed)]);
  });
  await unharmed(t, daemon, before);
});

test('floods of HTTP/2 cost the one who sends them a connection, and the daemon nothing', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'floods');
  const { first, more } = endlessHeaders(1);
  const floods: Record<string, [(at: number) => Buffer, { reads?: boolean }]> = {
    'rapid reset': [(at) => Buffer.concat([callHead(2 * at + 1, 'Version'), reset(2 * at + 1)]), {}],
    settings: [settings, { reads: false }],
    pings: [ping, { reads: false }],
    'endless headers': [(at) => (at === 0 ? first : more), {}],
    'empty data': [(at) => (at === 0 ? callHead(1, 'Version') : emptyData(1)), {}],
    'calls whose answers nobody reads': [
      (at) => Buffer.concat([callHead(2 * at + 1, 'ListContainers'), callBody(2 * at + 1, Buffer.alloc(0))]),
      { reads: false },
    ],
  };
  for (const [name, [piece, options]] of Object.entries(floods)) {
    const before = now(daemon);
    const sent = await flood(daemon.socket, 50_000, piece, options);
    t.true(sent < 50_000, `${name}: all were taken`);
    await unharmed(t, daemon, before);
  }
  t.is((await crictl(daemon, 'exec', container, 'echo', 'served')).stdout, 'served\n');
});

test('a daemon without a descriptor left takes new clients again when there is one, and serves the old ones meanwhile', async (t) => {
  const { daemon } = stage();
  const container = await idle(daemon, 'descriptors');
  const url = await execUrl(daemon, container);
  const before = now(daemon);
  const open = readdirSync(`/proc/${daemon.pid()}/fd`).length;
  prlimit(daemon, `${open + 8}:`);
  const clients = Array.from({ length: 40 }, (_, at) =>
    (at % 2 === 0 ? clientOf(url) : connect(daemon.socket)).on('error', () => undefined),
  );
  for (const client of clients) client.write(preface);
  await until(() => clients.some((client) => client.closed), 60_000, 'a client to be turned away');
  await unharmed(t, daemon, before);
  clients.forEach(close);
  prlimit(daemon, '4096:');
  await until(async () => (await crictl(daemon, 'exec', container, 'echo', 'served')).stdout === 'served\n', 60_000, 'an exec');
});

function close(client: Socket): void {
  client.destroy();
}

function prlimit(daemon: Daemon, nofile: string): void {
  spawnSync('prlimit', ['--pid', `${daemon.pid()}`, `--nofile=${nofile}`]);
}
