import test from 'ava';
import { mountPointsBelow } from './runtime-state.ts';

const line = (point: string): string => `36 35 98:0 / ${point} rw,noatime master:1 - ext4 /dev/root rw`;

test('what is mounted below a folder is found, the last first, and nothing else', (t) => {
  const mountinfo = [line('/run/oci'), line('/run/oci/a/x'), line('/run/oci/ab/x'), line('/run/oci/a/x/y'), ''].join('\n');
  t.deepEqual(mountPointsBelow(mountinfo, ['/run/oci/a']), ['/run/oci/a/x/y', '/run/oci/a/x']);
  t.deepEqual(mountPointsBelow(mountinfo, ['/run/oci/none']), []);
});

test('a mount point with spaces is named as it is', (t) => {
  t.deepEqual(mountPointsBelow(line('/a\\040b/x'), ['/a b']), ['/a b/x']);
});
