import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyedQueue } from './queue.ts';

test('work of one key runs in order, work of another does not wait', async (t) => {
  const queue = keyedQueue();
  const order: string[] = [];
  const slow = queue.run('a', async () => {
    await sleep(20);
    order.push('a1');
  });
  const second = queue.run('a', async () => void order.push('a2'));
  await queue.run('b', async () => void order.push('b'));
  await Promise.all([slow, second]);
  t.deepEqual(order, ['b', 'a1', 'a2']);
});

test('a failure reaches its caller alone and the key is forgotten when it is idle', async (t) => {
  const queue = keyedQueue();
  await t.throwsAsync(queue.run('a', () => Promise.reject(new Error('no'))), { message: 'no' });
  t.is(await queue.run('a', async () => 7), 7);
  await sleep(1);
  t.is(queue.size(), 0);
});

test('beyond its limit work of one key is refused by the name of the limit, other keys go on, and so does it later', async (t) => {
  const queue = keyedQueue(2);
  const { promise, resolve } = Promise.withResolvers<void>();
  const queued = [queue.run('a', () => promise), queue.run('a', () => promise)];
  await t.throwsAsync(queue.run('a', () => promise), { message: 'too many calls wait for a: try again when they are done (limit maxQueued, 2)' });
  await queue.run('b', async () => undefined);
  resolve();
  await Promise.all(queued);
  await sleep(1);
  t.is(await queue.run('a', async () => 7), 7);
});
