import test from 'ava';
import { lacking, RESERVE } from './room.ts';

const roomy = { blocks: 1000, bavail: 1000, bsize: 4096, files: 1000, ffree: 1000 };

test('what is new is refused once only the reserve is left, by bytes and by inodes', (t) => {
  t.is(lacking(roomy), undefined);
  t.is(lacking({ ...roomy, bavail: RESERVE.bytes / 4096 }), undefined);
  t.regex(lacking({ ...roomy, bavail: RESERVE.bytes / 4096 - 1 }) ?? '', /^is full, \d+ bytes are left/);
  t.regex(lacking({ ...roomy, ffree: RESERVE.inodes - 1 }) ?? '', /^has no inode left but 63/);
});

test('a file system that counts no blocks or no inodes has enough of them', (t) => {
  t.is(lacking({ ...roomy, blocks: 0, bavail: 0, files: 0, ffree: 0 }), undefined);
});
