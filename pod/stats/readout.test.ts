import test from 'ava';
import { deviceCounts, fieldIn, keyedDeviceCounts, limitIn, numberIn, softLimit, stalledUs } from './readout.ts';

test('numbers and limits are exact, and none where there is none', (t) => {
  t.is(numberIn('18446744073709551615\n'), 18446744073709551615n);
  t.is(numberIn('max\n'), 0n);
  t.is(limitIn('9223372036854771712\n'), 0n);
  t.is(limitIn('4096\n'), 4096n);
});

test('fields are found by their whole name', (t) => {
  t.is(fieldIn('total_rss_huge 1\ntotal_rss 2\n', 'total_rss'), 2n);
  t.is(fieldIn('a 1\n', 'b'), 0n);
});

test('stalls are read by kind', (t) => {
  const text = 'some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n';
  t.deepEqual([stalledUs(text, 'some'), stalledUs(text, 'full'), stalledUs('', 'full')], [12n, 3n, 0n]);
});

test('block devices are counted in both versions', (t) => {
  t.deepEqual(deviceCounts('8:0 Read 5\n8:0 Total 5\nTotal 5\n'), [{ major: '8', minor: '0', operation: 'Read', value: 5n }]);
  t.deepEqual(keyedDeviceCounts('253:1 rbytes=7 wbytes=9 rios=1\n', { rbytes: 'Read' }), [
    { major: '253', minor: '1', operation: 'Read', value: 7n },
  ]);
});

test('a soft limit is read unless there is none', (t) => {
  const text = 'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 524288               files     \nMax cpu time              unlimited            unlimited            seconds   \n';
  t.deepEqual([softLimit(text, 'Max open files'), softLimit(text, 'Max cpu time')], [1024n, undefined]);
});
