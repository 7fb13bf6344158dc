import test from 'ava';
import { type Change, openChanges } from './changes.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const change = (atNs: bigint): Change => ({ type: 'pod.ready', atNs, sandbox: {} as never, container: null });

test('stamps grow even when the clock stands still or goes back', (t) => {
  const times = [5, 5, 3, 6];
  const changes = openChanges(silent, () => times.shift() ?? 0);
  t.deepEqual([1, 2, 3, 4].map(() => changes.stampNs()), [5_000_000n, 5_000_001n, 5_000_002n, 6_000_000n]);
});

test('every listener is told every change in order until it leaves, and one that throws harms no other', (t) => {
  const changes = openChanges(silent);
  const seen: string[] = [];
  const leave = changes.subscribe(({ atNs }) => {
    seen.push(`a${atNs}`);
    throw new Error('broken');
  });
  changes.subscribe(({ atNs }) => seen.push(`b${atNs}`));
  changes.tell(change(1n));
  leave();
  changes.tell(change(2n));
  t.deepEqual(seen, ['a1', 'b1', 'b2']);
});
