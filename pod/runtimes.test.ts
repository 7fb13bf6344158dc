import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { firstThatWorks } from './runtimes.ts';

test('the first candidate that works is taken and those behind it are not tried', async (t) => {
  const tried: string[] = [];
  const works = await firstThatWorks(['bad', 'good', 'other'], 1000, async (name) => {
    tried.push(name);
    return name !== 'bad';
  });
  t.is(works, 'good');
  t.deepEqual(tried, ['bad', 'good']);
});

test('a candidate that hangs is waited for no longer than the patience', async (t) => {
  const from = performance.now();
  t.is(await firstThatWorks(['hangs', 'good'], 20, (name) => (name === 'good' ? Promise.resolve(true) : sleep(120_000, true, { ref: false }))), 'good');
  t.true(performance.now() - from < 60_000);
});

test('a slow candidate is taken when no other works, and none when all fail', async (t) => {
  t.is(await firstThatWorks(['slow', 'bad'], 1, async (name) => (name === 'slow' ? sleep(50, true) : Promise.reject(new Error('no')))), 'slow');
  t.is(await firstThatWorks(['bad', 'worse'], 1, () => Promise.resolve(false)), undefined);
  t.is(await firstThatWorks([], 1, () => Promise.resolve(true)), undefined);
});
