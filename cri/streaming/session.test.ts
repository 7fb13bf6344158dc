import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { openSession, type Session } from './session.ts';

const limits = { idleMs: 60_000, totalMs: 60_000, beatMs: 10 };

const reasonOf = ({ signal }: Session): string => (signal.reason as Error).message;

test('the end of a session destroys all that it owns, at once what it gets later, and last the client', async (t) => {
  const client = new PassThrough();
  const session = openSession(client, limits);
  const [early, gone, late] = [new PassThrough(), new PassThrough(), new PassThrough()];
  session.own(early);
  session.own(gone);
  gone.destroy();
  session.end('over');
  session.end('again');
  session.own(late);
  t.true(early.destroyed && late.destroyed && !client.destroyed);
  t.is(reasonOf(session), 'over');
  // Its own timer keeps no process alive.
  await Promise.race([session.closed, sleep(60_000)]);
  t.true(client.destroyed);
});

test('a session ends with its client', async (t) => {
  const [client, handle] = [new PassThrough(), new PassThrough()];
  const session = openSession(client, limits);
  session.own(handle);
  client.destroy();
  await session.closed;
  t.true(handle.destroyed);
  t.is(reasonOf(session), 'the client went away');
});

test('a session ends when nothing has moved for long, not while something does', async (t) => {
  const idleMs = 1000;
  const session = openSession(new PassThrough(), { ...limits, idleMs });
  const aborted = once(session.signal, 'abort');
  const startedMs = performance.now();
  while (performance.now() - startedMs < 2 * idleMs) {
    await sleep(25);
    session.touch();
  }
  t.false(session.signal.aborted);
  // Its own timer keeps no process alive.
  await Promise.race([aborted, sleep(60_000)]);
  t.regex(reasonOf(session), /^nothing came/);
});

test('a session ends after its longest time, whatever moves', async (t) => {
  const session = openSession(new PassThrough(), { ...limits, totalMs: 60 });
  while (!session.signal.aborted) {
    await sleep(15);
    session.touch();
  }
  t.regex(reasonOf(session), /^it was open/);
});

test('a session asks for a sign of life until it ends', async (t) => {
  let beats = 0;
  const session = openSession(new PassThrough(), limits);
  // Its own timer keeps no process alive.
  const patience = setTimeout(t.fail, 60_000);
  await new Promise<void>((resolve) => session.onBeat(() => ++beats === 3 && resolve()));
  clearTimeout(patience);
  session.end('over');
  await sleep(40);
  t.is(beats, 3);
});
