import test from 'ava';
import { minuteLine, soakSection } from './page.ts';

const counts = new Map([['exits', 12], ['killed shim', 3]]);

test('a minute is told in one line, what has not happened as 0', (t) => {
  const line = minuteLine([{ berthd: { processes: 1, rssKiB: 9, pssKiB: 7, descriptors: 5 } }], counts);
  t.regex(line, /^minute 1: 0 restarts, .*3 killed shim.*; 12 exits.*; 1 berthd of 7 KiB and 5 descriptors; 0 PROBLEMS$/);
  t.regex(minuteLine([], new Map()), /^minute 0: /);
});

test('the page says what was compared, and marks what is not as it should be', (t) => {
  const flatness = [{ kind: 'berthd', figure: 'rssKiB', before: 10, after: 20, atMost: 15, flat: false }] as const;
  const page = soakSection({ minutes: 120, pods: 30, seed: 1, counts, flatness, problems: ['lost'] }, '2026-01-01');
  t.regex(page, /^\| containers ended, compared with their own books \| 12 \|$/m);
  t.regex(page, /^\| exits or lines lost, leaks, other problems \| \*\*1\*\* \|$/m);
  t.regex(page, /^\| berthd, RSS, KiB \| 10 \| 20 \| ≤ 15: \*\*no\*\* \|$/m);
  t.regex(page, /minutes 10 to 20 and 110 to 120/);
});
