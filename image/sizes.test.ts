import test from 'ava';
import { imageRecord } from './fixtures/record.ts';
import { sizesOf } from './sizes.ts';

const bytes: Record<string, bigint> = { a: 1n, b: 10n, c: 100n };
const usageOf = (layer: string) => ({ usedBytes: bytes[layer] ?? 0n, inodes: 1n });

test('an image has what its layers take, one that occurs twice counted once, and what no other image shares', (t) => {
  const one = imageRecord('1', { layers: ['a', 'b', 'b'] });
  const other = imageRecord('2', { layers: ['a', 'c'] });
  const sizes = sizesOf([one, other], usageOf);
  t.deepEqual(sizes(one), { all: { usedBytes: 11n, inodes: 2n }, unique: { usedBytes: 10n, inodes: 1n } });
  t.deepEqual(sizes(other), { all: { usedBytes: 101n, inodes: 2n }, unique: { usedBytes: 100n, inodes: 1n } });
  t.deepEqual(sizesOf([one], usageOf)(one), { all: { usedBytes: 11n, inodes: 2n }, unique: { usedBytes: 11n, inodes: 2n } });
});
