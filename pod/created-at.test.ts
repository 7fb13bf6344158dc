import test from 'ava';
import { createdAt } from './created-at.ts';

test('what is created later is later by its time, also once the clock was set back', (t) => {
  const made: { createdAtNs: string }[] = [];
  for (const nowNs of [5_000n, 5_000n, 9_000n, 1_000n, 1_001n, 9_500n]) made.push({ createdAtNs: createdAt(nowNs, made) });
  t.deepEqual(made.map((one) => one.createdAtNs), ['5000', '5001', '9000', '9001', '9002', '9500']);
});

test('what follows nothing is created now', (t) => {
  t.is(createdAt(7n, []), '7');
});
