import test from 'ava';
import { sizeText } from './size.ts';

test('sizes have three digits and the unit of 1000 that fits', (t) => {
  const cases: [bigint, string][] = [
    [0n, '0 B'], [999n, '999 B'], [1000n, '1.00 kB'], [1499n, '1.50 kB'], [999_499n, '999 kB'], [999_500n, '1.00 MB'],
    [4_270_000_000n, '4.27 GB'], [(1n << 63n) - 1n, '9.22 EB'],
  ];
  for (const [bytes, text] of cases) t.is(sizeText(bytes), text);
});
