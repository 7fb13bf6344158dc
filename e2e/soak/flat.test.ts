import test from 'ava';
import { flatness, type Minute, spans } from './flat.ts';

const minute = (rssKiB: number, descriptors = 30): Minute => ({ berthd: { processes: 1, rssKiB, pssKiB: rssKiB, descriptors } });

test('minutes 10 to 20 are compared with the last ten, in a short run its second third with its last', (t) => {
  t.deepEqual(spans(120), { before: [10, 20], after: [110, 120] });
  t.deepEqual(spans(30), { before: [10, 20], after: [20, 30] });
  t.deepEqual(spans(6), { before: [2, 4], after: [4, 6] });
  t.deepEqual(spans(1), { before: [0, 1], after: [0, 1] });
});

test('what grows a little is flat, what grows and grows is not', (t) => {
  const steady = Array.from({ length: 120 }, (_, at) => minute(60_000 + (at % 7) * 500));
  t.true(flatness(steady).every(({ flat }) => flat));
  const growing = Array.from({ length: 120 }, (_, at) => minute(60_000 + at * 200, 30 + at));
  t.deepEqual(flatness(growing).map(({ figure, flat }) => [figure, flat]), [['rssKiB', false], ['pssKiB', false], ['descriptors', false]]);
});

test('one outlier does not decide, and a minute without the process does not count', (t) => {
  const minutes = Array.from({ length: 40 }, (_, at) => (at === 35 ? minute(900_000) : at % 4 === 0 ? {} : minute(60_000)));
  t.true(flatness(minutes).every(({ flat }) => flat));
});

test('a run without a single minute has nothing to compare', (t) => {
  t.deepEqual(flatness([]), []);
});
