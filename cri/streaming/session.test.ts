import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { openSession } from './session.ts';

const limits = { idleMs: 60_000, totalMs: 60_000, beatMs: 10 };

test('the end of a session destroys all that it owns, and at once what it gets later', (t) => {
  const reasons: string[] = [];
  const session = openSession(limits, (reason) => void reasons.push(reason));
  const [early, gone, late] = [new PassThrough(), new PassThrough(), new PassThrough()];
  session.own(early);
  session.own(gone);
  gone.destroy();
  session.end('over');
  session.end('again');
  session.own(late);
  t.true(early.destroyed && late.destroyed && session.signal.aborted);
  t.deepEqual(reasons, ['over']);
});

test('a session ends when nothing has moved for long, not while something does', async (t) => {
  let reason = '';
  const session = openSession({ ...limits, idleMs: 100 }, (why) => (reason = why));
  for (let i = 0; i < 8; i++) {
    await sleep(25);
    session.touch();
  }
  t.is(reason, '');
  await sleep(200);
  t.regex(reason, /^idle/);
});

test('a session ends after its longest time, whatever moves', async (t) => {
  let reason = '';
  const session = openSession({ ...limits, totalMs: 60 }, (why) => (reason = why));
  for (let i = 0; i < 10; i++) {
    await sleep(15);
    session.touch();
  }
  t.regex(reason, /^open for/);
});

test('a session asks for a sign of life until it ends', async (t) => {
  let beats = 0;
  const session = openSession(limits, () => undefined);
  session.onBeat(() => void beats++);
  await sleep(60);
  session.end('over');
  const then = beats;
  await sleep(40);
  t.true(then >= 2);
  t.is(beats, then);
});
