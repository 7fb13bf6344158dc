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
