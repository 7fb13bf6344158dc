import test from 'ava';
import { barLines, type LayerState, redraw } from './bars.ts';

const layer = (name: string, bytes: bigint, totalBytes: bigint): LayerState => ({ digest: `sha256:${name.repeat(64)}`, bytes, totalBytes });
const screen = { columns: 100, rows: 24 };

test('each layer has a bar, and their sum', (t) => {
  t.deepEqual(barLines([layer('a', 1_500_000n, 3_000_000n), layer('b', 0n, 1000n), layer('c', 5n, 5n)], screen), [
    'aaaaaaaaaaaa [===============>              ] 1.50 MB of 3.00 MB',
    'bbbbbbbbbbbb [>                             ] 0 B of 1.00 kB',
    'cccccccccccc [==============================] 5 B of 5 B',
    'all          [==============>               ] 1.50 MB of 3.00 MB',
  ]);
});

test('where there is no room for all, layers that are here are left out, and lines are cut', (t) => {
  const many = Array.from({ length: 30 }, (_, i) => layer('a', BigInt(i % 2), 1n));
  const lines = barLines(many, { columns: 20, rows: 10 });
  t.is(lines.length, 7);
  t.true(lines.every((line) => line.length <= 20));
  t.true(lines.slice(0, -1).every((line) => line.includes('[>')));
});

test('no layers are a full bar, not a division by zero', (t) => {
  t.deepEqual(barLines([], screen), ['all          [==============================] 0 B of 0 B']);
});

test('lines are drawn over those before, also when they become fewer', (t) => {
  const written: string[] = [];
  const draw = redraw((text) => void written.push(text));
  draw(['a', 'b']);
  draw(['c']);
  t.deepEqual(written, ['\x1b[2Ka\n\x1b[2Kb\n\x1b[J', '\x1b[2A\x1b[2Kc\n\x1b[J']);
});
