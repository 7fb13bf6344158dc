import test from 'ava';
import { containerFamilies, type CountingHost, type Measured } from './metric-families.ts';

const version1: CountingHost = {
  version: 1,
  controllers: new Set(['cpu', 'cpuacct', 'memory', 'pids', 'blkio']),
  kernel: { major: 6, minor: 1 },
  swapAccounting: true,
  pressure: true,
  hugepageSizes: ['2MB'],
};
const version2: CountingHost = { ...version1, version: 2, controllers: new Set(['cpu', 'memory', 'pids', 'io', 'hugetlb']) };

const measured = (files: Record<string, string>): Measured => ({
  file: (name) => files[name] ?? '',
  processes: { count: 2, fileDescriptors: 7, sockets: 1 },
  limits: '',
  disk: { device: '/dev/vda', totalBytes: '100', freeInodes: '5', totalInodes: '9', usedBytes: null },
  cpuShares: 512n,
  startedAtNs: 3_900_000_000n,
  atNs: 5_000_000_000n,
  deviceName: (major, minor) => `dev${major}:${minor}`,
});

const rowsOf = (host: CountingHost, name: string, files: Record<string, string> = {}) =>
  containerFamilies(host).find((family) => family.name === `container_${name}`)?.rows(measured(files));

test('only what the machine can count is there', (t) => {
  const names = (host: CountingHost) => containerFamilies(host).map((family) => family.name);
  const pressure = (host: CountingHost) => names(host).filter((name) => name.includes('pressure')).length;
  t.deepEqual([pressure(version1), pressure(version2), pressure({ ...version2, pressure: false })], [0, 6, 0]);
  t.false(names(version1).some((name) => name.includes('hugetlb')));
  t.true(names(version2).includes('container_hugetlb_usage_bytes'));
  t.false(names(version2).includes('container_hugetlb_max_usage_bytes'));
  t.false(names({ ...version2, kernel: { major: 5, minor: 15 } }).includes('container_memory_max_usage_bytes'));
  t.false(names({ ...version1, swapAccounting: false }).includes('container_memory_swap'));
});

test('the versions tell the same in their own files', (t) => {
  t.deepEqual(rowsOf(version1, 'cpu_usage_seconds_total', { 'cpuacct/cpuacct.usage': '2500000000\n' }), [[['total'], 2n]]);
  t.deepEqual(rowsOf(version2, 'cpu_usage_seconds_total', { 'cpu.stat': 'usage_usec 2500000\n' }), [[['total'], 2n]]);
  t.deepEqual(rowsOf(version1, 'memory_working_set_bytes', { 'memory/memory.usage_in_bytes': '10', 'memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 4\n' }), [[[], 6n]]);
  t.deepEqual(rowsOf(version2, 'memory_working_set_bytes', { 'memory.current': '3', 'memory.stat': 'inactive_file 4\n' }), [[[], 0n]]);
  t.deepEqual(rowsOf(version2, 'spec_cpu_quota', { 'cpu.max': 'max 100000\n' }), []);
  t.deepEqual(rowsOf(version2, 'spec_cpu_period', { 'cpu.max': 'max 100000\n' }), [[[], 100000n]]);
  t.deepEqual(rowsOf(version1, 'spec_cpu_quota', { 'cpu/cpu.cfs_quota_us': '-1\n' }), []);
  t.deepEqual(rowsOf(version1, 'fs_reads_total', { 'blkio/blkio.throttle.io_serviced_recursive': '8:0 Read 3\n8:0 Write 1\n' }), [[['dev8:0'], 3n]]);
  t.deepEqual(rowsOf(version2, 'fs_writes_bytes_total', { 'io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4\n' }), [[['dev8:0'], 2n]]);
});

test('limits of the part of a cgroup that the container is in count where the whole has none', (t) => {
  const divided = { 'memory.max': 'max\n', 'container/memory.max': '64\n', 'cpu.max': 'max 100000\n', 'container/cpu.max': '50000 100000\n', 'pids.max': '9\n', 'container/pids.max': 'max\n' };
  const value = (name: string) => rowsOf(version2, name, divided)?.[0]?.[1];
  t.deepEqual(['spec_memory_limit_bytes', 'spec_cpu_quota', 'threads_max'].map(value), [64n, 50_000n, 9n]);
});

test('every row has as many labels as its family', (t) => {
  const files = { 'io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5\n' };
  for (const { name, labels, rows } of containerFamilies(version2)) {
    for (const [values] of rows(measured(files))) t.is(values.length, labels.length, name);
  }
});

test('what is not known yet has no value', (t) => {
  t.deepEqual(rowsOf(version1, 'fs_usage_bytes'), []);
  t.deepEqual(rowsOf(version1, 'ulimits_soft'), []);
  t.deepEqual(rowsOf(version1, 'start_time_seconds'), [[[], 3n]]);
});
