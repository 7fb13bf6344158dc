import test from 'ava';
import { median, readFigures, report } from './figures.ts';

const printed = `runtime berth 0.1.0
[bulk:1] pull.p50 900.50 ms
memory.idle 63.1 MiB (2 processes)
seq.pod_ready.p50 100.00 ms
par.wall 5.10 s for 50 pods, 9.8 pods/s
memory.per_pod 0.25 MiB
`;

test('figures are read by name, those of a pull with its image, and the rate of parallel starts', (t) => {
  t.deepEqual(
    [...readFigures(printed)],
    [
      ['[bulk:1] pull.p50', 900.5],
      ['memory.idle', 63.1],
      ['seq.pod_ready.p50', 100],
      ['par.wall', 5.1],
      ['par.pods_per_second', 9.8],
      ['memory.per_pod', 0.25],
    ],
  );
});

test('the median of an even number of runs is the mean of the middle two, of none not a number', (t) => {
  const runs = [3, 1, 10, 2].map((value) => new Map([['x', value]]));
  t.is(median(runs, 'x'), 2.5);
  t.is(median(runs.slice(1), 'x'), 2);
  t.is(median(runs, 'y'), Number.NaN);
});

test('the report gives ratios and says which bars are cleared', (t) => {
  const ours = [readFigures(printed)];
  const peers = [
    new Map([
      ['seq.pod_ready.p50', 160],
      ['par.pods_per_second', 4],
    ]),
  ];
  const table = report(ours, peers);
  t.true(table.includes('| pod ready, median | 100 ms | 160 ms | 0.63 × | ≤ 0.5 ×: **no** |'));
  t.true(table.includes('| 50 pods, 8 at once | 9.80 pods/s | 4.00 pods/s | 2.45 × | ≥ 2 ×: yes |'));
  t.true(table.includes('| memory per pod | 0.25 MiB | – | – | ≤ 0.3 MiB: yes |'));
});
