import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import type { PodContext } from '../../pod/context.ts';
import type { StreamAsk } from './ask.ts';
import { type Streaming, streamingServer } from './http.ts';
import type { StreamingLimits } from './limits.ts';

const ask: StreamAsk = { kind: 'exec', containerId: 'c', command: ['true'], stdin: false, stdout: true, stderr: false, tty: false };

/** A server whose clients never get as far as to a pod: the context is only told of them. */
function serve(t: ExecutionContext, limits: Partial<StreamingLimits>) {
  const [hits, lines]: [string[], string[]] = [[], []];
  const note = (message: string, fields?: { message?: unknown }): void => void lines.push(`${message}: ${fields?.message}`);
  const context = {
    log: { debug: note, info: note, warn: note, error: note },
    meter: { stage: () => undefined, count: () => undefined, limit: (name: string) => void hits.push(name) },
  } as unknown as PodContext;
  const streaming = streamingServer(context, { address: '127.0.0.1', port: 0, limits });
  t.teardown(streaming.close);
  return { streaming, hits, lines };
}

/** A client that upgrades to SPDY and then opens no stream. */
function open(url: string): Socket {
  const { hostname, port, pathname } = new URL(url);
  const upgrade = 'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n';
  const client = connect(Number(port), hostname).on('error', () => undefined);
  client.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
  return client;
}

const sessionsOf = async (streaming: Streaming, count: number): Promise<void> => {
  while (streaming.count().sessions !== count) await sleep(5);
};

test('a URL is void after its time', async (t) => {
  const { streaming } = serve(t, { tokenLifeMs: 100 });
  const late = await streaming.url(ask);
  await sleep(150);
  t.regex(await text(open(late)), /^HTTP\/1\.1 404 [\s\S]*limit tokenLifeMs, 100/);
});

test('a URL is void after its use', async (t) => {
  const { streaming } = serve(t, {});
  const url = await streaming.url(ask);
  t.deepEqual(streaming.count(), { sessions: 0, waiting: 1 });
  const used = open(url);
  await sessionsOf(streaming, 1);
  t.regex(await text(open(url)), /^HTTP\/1\.1 404 /);
  used.destroy();
  await sessionsOf(streaming, 0);
  t.deepEqual(streaming.count(), { sessions: 0, waiting: 0 });
});

test('no more than so many sessions: neither for a new URL nor for one given before', async (t) => {
  const { streaming, hits } = serve(t, { maxSessions: 1 });
  const [first, second] = [await streaming.url(ask), await streaming.url(ask)];
  const client = open(first);
  await sessionsOf(streaming, 1);
  const error = await t.throwsAsync(streaming.url(ask));
  t.true(isKind(error, 'exhausted'));
  t.regex(error?.message ?? '', /limit maxSessions, 1\)$/);
  t.regex(await text(open(second)), /^HTTP\/1\.1 503 [\s\S]*limit maxSessions, 1/);
  t.deepEqual(hits, ['maxSessions', 'maxSessions']);
  client.destroy();
  await sessionsOf(streaming, 0);
  await t.notThrowsAsync(streaming.url(ask));
});

test('a session in which nothing moves is ended, and its client', async (t) => {
  const { streaming, lines } = serve(t, { idleMs: 100 });
  t.regex(await text(open(await streaming.url(ask))), /^HTTP\/1\.1 101 /);
  await sessionsOf(streaming, 0);
  t.deepEqual(lines, ['stream ended: nothing came or went for 0.1 s (limit idleMs)']);
});
