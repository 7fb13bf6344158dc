import test from 'ava';
import { isKind } from '../api/errors.ts';
import { joinedOperations } from './operations.ts';

const never = new AbortController().signal;

test('beyond their limit creations are refused by its name, those in flight can be joined, and there is room when one ends', async (t) => {
  const operations = joinedOperations(1);
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = operations.join('a', 'print', never, () => promise);
  const error = await t.throwsAsync(operations.join('b', 'print', never, async () => 'b'));
  t.true(isKind(error, 'exhausted'));
  t.regex(error?.message ?? '', /^b: too many pods and containers are being made: try again later \(limit maxCreations, 1\)$/);
  const joined = operations.join('a', 'print', never, async () => 'other');
  resolve('a');
  t.deepEqual(await Promise.all([first, joined]), ['a', 'a']);
  t.is(await operations.join('b', 'print', never, async () => 'b'), 'b');
});
