import test from 'ava';
import { median, pullTable, ratio, sectionOf, withSection } from './page.ts';

const pulled = (ms: number, cpuSeconds = 1) => ({ ms, cpuSeconds, memoryMiB: 0, syncMs: 0 });

test('a ratio is that of the rounds, which a slow round does not change', (t) => {
  t.is(median([3, 1, 2]), 2);
  const [ours, theirs] = [[10, 1000, 12].map((ms) => pulled(ms)), [20, 2000, 24].map((ms) => pulled(ms))];
  t.is(ratio(ours, theirs, ({ ms }) => ms), 0.5);
});

test('a table says of each bar whether it is cleared', (t) => {
  const by = new Map([
    ['berth', [pulled(40, 1)]],
    ['containerd', [pulled(100, 4)]],
    ['containerd, synced', [pulled(160)]],
    ['curl | tar', [pulled(20)]],
  ]);
  const line = pullTable([{ meaning: 'six', gib: 0.5, by }], [1.3]).split('\n').at(-1);
  t.is(line, '| six | 40 ms | 100 ms | 160 ms | 20 ms | 20 ms | 0.40 × (≤ 0.5: yes) | 0.25 × | 2.00 × (≤ 1.3: **no**) | 2.00 s | 8.00 s | 0.25 × (≤ 0.5: yes) |');
});

test('a section of a page is replaced and the others stay', (t) => {
  const page = '# Top\n\n## Pulls\n\nold\n\n## Last\n\nend\n';
  t.is(withSection(page, 'Pulls', 'new'), '# Top\n\n## Pulls\n\nnew\n\n## Last\n\nend\n');
  t.is(withSection('# Top\n', 'Pulls', 'new'), '# Top\n\n## Pulls\n\nnew\n');
  t.is(sectionOf(page, 'Pulls'), '## Pulls\n\nold\n\n');
  t.is(sectionOf(page, 'None'), '');
});
