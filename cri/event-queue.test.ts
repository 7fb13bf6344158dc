import test from 'ava';
import { eventQueue } from './event-queue.ts';

const bounds = { maxItems: 3, maxBytes: 100 };
const never = new AbortController().signal;
const open = (limits = bounds) => eventQueue(limits, () => new Error('too slow'));

test('items come in order, those that waited and those that come while the reader waits', async (t) => {
  const queue = open();
  queue.push(Buffer.from('a'));
  queue.push(Buffer.from('b'));
  const reader = queue.read(never);
  const read = async () => String((await reader.next()).value);
  t.deepEqual([await read(), await read()], ['a', 'b']);
  const next = read();
  queue.push(Buffer.from('c'));
  t.is(await next, 'c');
});

for (const [what, limits] of [
  ['too many items', { maxItems: 2, maxBytes: 100 }],
  ['too many bytes', { maxItems: 100, maxBytes: 20 }],
] as const) {
  test(`a reader that lets ${what} wait is told, and nothing waits for it any more`, async (t) => {
    const queue = open(limits);
    const item = Buffer.alloc(10);
    t.deepEqual([1, 2, 3, 4].map(() => queue.push(item)), [true, true, false, false]);
    await t.throwsAsync(queue.read(never).next(), { message: 'too slow' });
  });
}

test('a reader that keeps up is never too slow', async (t) => {
  const queue = open();
  const reader = queue.read(never);
  for (let sent = 0; sent < 50; sent++) {
    t.true(queue.push(Buffer.alloc(60)));
    await reader.next();
  }
});

test('an abort ends a reader that waits, with its reason', async (t) => {
  const queue = open();
  const abort = new AbortController();
  const next = queue.read(abort.signal).next();
  abort.abort(new Error('gone'));
  await t.throwsAsync(next, { message: 'gone' });
  t.false(queue.push(Buffer.from('late')));
});

test('the first reason for the end is the one that counts', async (t) => {
  const queue = open();
  queue.end(new Error('first'));
  queue.end(new Error('second'));
  await t.throwsAsync(queue.read(never).next(), { message: 'first' });
});

test('a queue whose reader has left takes nothing', async (t) => {
  const queue = open();
  queue.push(Buffer.from('a'));
  const reader = queue.read(never);
  await reader.next();
  await reader.return(undefined);
  t.false(queue.push(Buffer.from('b')));
});
