import { deviceCounts, fieldIn, keyedDeviceCounts, limitIn, numberIn, softLimit, stalledUs } from './readout.ts';

/** What this machine can count, as found at start. */
export type CountingHost = {
  version: 1 | 2;
  /** Controllers that are there for pods. */
  controllers: ReadonlySet<string>;
  kernel: { major: number; minor: number };
  swapAccounting: boolean;
  pressure: boolean;
  hugepageSizes: string[];
};

/** What was read of one container. `file` gives the text of a file of its cgroup, `controller/name` (just `name` on version 2), empty when absent. */
export type Measured = {
  file: (name: string) => string;
  processes: { count: number; fileDescriptors: number; sockets: number };
  /** /proc/PID/limits of its first process. */
  limits: string;
  /** The file system of writable layers, and what this one takes there; null while nobody knows. */
  disk: { device: string; totalBytes: string; freeInodes: string; totalInodes: string; usedBytes: bigint | null };
  cpuShares: bigint;
  startedAtNs: bigint;
  atNs: bigint;
  deviceName: (major: string, minor: string) => string;
};

/** One value, with the values of the family's own labels in their order. */
export type Row = [labels: string[], value: bigint];

/** A metric: `files` are what `rows` reads. */
export type Family = { name: string; help: string; type: 'COUNTER' | 'GAUGE'; labels: string[]; files: string[]; rows: (of: Measured) => Row[] };

type Source = { files: string[]; rows: (of: Measured) => Row[] };

const MICROS = 1_000_000n;
const NANOS = 1_000_000_000n;
/** Unit of cpuacct.stat (USER_HZ), per second. */
const TICKS = 100n;

const plain = (rows: (of: Measured) => Row[]): Source => ({ files: [], rows });
const one = (file: string, value: (text: string) => bigint): Source => ({ files: [file], rows: (of) => [[[], value(of.file(file))]] });
const field = (file: string, key: string, divisor = 1n): Source => one(file, (text) => fieldIn(text, key) / divisor);

/**
 * The text of a limit of version 2. crun divides a scope of systemd and limits the part that the container is in: that
 * counts where the whole has no limit.
 */
const limitText = (file: string, { file: read }: Measured): string => {
  const [whole, part] = [read(file), read(`container/${file}`)];
  return part !== '' && (whole === '' || whole.startsWith('max')) ? part : whole;
};
const limit = (file: string, value: (text: string) => bigint): Source => ({
  files: [file, `container/${file}`],
  rows: (of) => [[[], value(limitText(file, of))]],
});

/** The metrics of a container on this machine, in a fixed order; only what it really can count. */
export function containerFamilies(host: CountingHost): Family[] {
  return [cpu, memory, disk, processes, spec, hugepages, pressure].flatMap((group) => {
    const { families, ...builder } = builderFor(host);
    group(builder);
    return families;
  });
}

type Builder = Omit<ReturnType<typeof builderFor>, 'families'>;

/** What the groups below are written with; a source of null is what this machine does not count. */
function builderFor(host: CountingHost) {
  const { version, controllers, kernel } = host;
  const families: Family[] = [];
  return {
    host,
    version,
    families,
    has: (controller: string) => controllers.has(controller),
    since: (major: number, minor: number) => kernel.major > major || (kernel.major === major && kernel.minor >= minor),
    pick: (first: Source | null, second: Source | null) => (version === 1 ? first : second),
    when: (condition: boolean, source: Source | null) => (condition ? source : null),
    add(type: Family['type'], name: string, help: string, source: Source | null, labels: string[] = []) {
      if (source) families.push({ name: `container_${name}`, help, type, labels, ...source });
    },
  };
}

/** Processor time and throttling. */
function cpu({ add, has, pick, when, version }: Builder): void {
  const total = (source: Source): Source => ({ ...source, rows: (of) => source.rows(of).map(([, value]) => [['total'], value]) });
  const cpuTime = version === 1 ? has('cpuacct') : true;
  const cpuFile = version === 1 ? 'cpu/cpu.stat' : 'cpu.stat';
  add('COUNTER', 'cpu_usage_seconds_total', 'Cumulative cpu time consumed in seconds.',
    when(cpuTime, pick(total(one('cpuacct/cpuacct.usage', (text) => numberIn(text) / NANOS)), total(field('cpu.stat', 'usage_usec', MICROS)))), ['cpu']);
  add('COUNTER', 'cpu_user_seconds_total', 'Cumulative user cpu time consumed in seconds.',
    when(cpuTime, pick(field('cpuacct/cpuacct.stat', 'user', TICKS), field('cpu.stat', 'user_usec', MICROS))));
  add('COUNTER', 'cpu_system_seconds_total', 'Cumulative system cpu time consumed in seconds.',
    when(cpuTime, pick(field('cpuacct/cpuacct.stat', 'system', TICKS), field('cpu.stat', 'system_usec', MICROS))));
  add('COUNTER', 'cpu_cfs_periods_total', 'Number of elapsed enforcement period intervals.', when(has('cpu'), field(cpuFile, 'nr_periods')));
  add('COUNTER', 'cpu_cfs_throttled_periods_total', 'Number of throttled period intervals.', when(has('cpu'), field(cpuFile, 'nr_throttled')));
  add('COUNTER', 'cpu_cfs_throttled_seconds_total', 'Total time duration the container has been throttled.',
    when(has('cpu'), pick(field(cpuFile, 'throttled_time', NANOS), field(cpuFile, 'throttled_usec', MICROS))));
}

/** Memory by kind, faults and out-of-memory kills. */
function memory({ add, has, since, pick, when, version, host }: Builder): void {
  const counted = has('memory');
  const stat = version === 1 ? 'memory/memory.stat' : 'memory.stat';
  const usage = version === 1 ? 'memory/memory.usage_in_bytes' : 'memory.current';
  const inactive = version === 1 ? 'total_inactive_file' : 'inactive_file';
  add('GAUGE', 'memory_cache', 'Number of bytes of page cache memory.', when(counted, pick(field(stat, 'total_cache'), field(stat, 'file'))));
  add('GAUGE', 'memory_rss', 'Size of RSS in bytes.', when(counted, pick(field(stat, 'total_rss'), field(stat, 'anon'))));
  add('GAUGE', 'memory_swap', 'Container swap usage in bytes.',
    when(counted && host.swapAccounting, pick(field(stat, 'total_swap'), one('memory.swap.current', numberIn))));
  add('GAUGE', 'memory_kernel_usage', 'Size of kernel memory allocated in bytes.',
    when(counted, pick(one('memory/memory.kmem.usage_in_bytes', numberIn), when(since(5, 18), field(stat, 'kernel')))));
  add('GAUGE', 'memory_mapped_file', 'Size of memory mapped files in bytes.', when(counted, pick(field(stat, 'total_mapped_file'), field(stat, 'file_mapped'))));
  add('COUNTER', 'memory_failcnt', 'Number of memory usage hits limits.',
    when(counted, pick(one('memory/memory.failcnt', numberIn), field('memory.events', 'max'))));
  add('GAUGE', 'memory_usage_bytes', 'Current memory usage in bytes, including all memory regardless of when it was accessed.', when(counted, one(usage, numberIn)));
  add('GAUGE', 'memory_max_usage_bytes', 'Maximum memory usage recorded in bytes.',
    when(counted, pick(one('memory/memory.max_usage_in_bytes', numberIn), when(since(5, 19), one('memory.peak', numberIn)))));
  add('GAUGE', 'memory_working_set_bytes', 'Current working set in bytes.', when(counted, {
    files: [usage, stat],
    rows: ({ file }) => [[[], atLeastZero(numberIn(file(usage)) - fieldIn(file(stat), inactive))]],
  }));
  add('COUNTER', 'memory_failures_total', 'Cumulative count of memory allocation failures.', when(counted, {
    files: [stat],
    rows: ({ file }) => ['pgfault', 'pgmajfault'].flatMap((kind): Row[] => [
      [[kind, 'container'], fieldIn(file(stat), kind)],
      [[kind, 'hierarchy'], fieldIn(file(stat), version === 1 ? `total_${kind}` : kind)],
    ]),
  }), ['failure_type', 'scope']);
  add('COUNTER', 'oom_events_total', 'Count of out of memory events observed for the container.',
    when(counted, pick(field('memory/memory.oom_control', 'oom_kill'), field('memory.events', 'oom_kill'))));
}

/** File system and block devices. */
function disk({ add, has, when, version }: Builder): void {
  const device = ['device'];
  add('GAUGE', 'fs_inodes_free', 'Number of available inodes.', plain(({ disk }) => [[[disk.device], BigInt(disk.freeInodes)]]), device);
  add('GAUGE', 'fs_inodes_total', 'Number of inodes.', plain(({ disk }) => [[[disk.device], BigInt(disk.totalInodes)]]), device);
  add('GAUGE', 'fs_limit_bytes', 'Number of bytes that can be consumed by the container on this filesystem.', plain(({ disk }) => [[[disk.device], BigInt(disk.totalBytes)]]), device);
  add('GAUGE', 'fs_usage_bytes', 'Number of bytes that are consumed by the container on this filesystem.',
    plain(({ disk }) => (disk.usedBytes === null ? [] : [[[disk.device], disk.usedBytes]])), device);

  const io = version === 1 ? has('blkio') : has('io');
  const bytes = version === 1 ? 'blkio/blkio.throttle.io_service_bytes_recursive' : 'io.stat';
  const operations = version === 1 ? 'blkio/blkio.throttle.io_serviced_recursive' : 'io.stat';
  const counts = (file: string, keys: Record<string, string>) => ({ file: read }: Measured) =>
    version === 1 ? deviceCounts(read(file)) : keyedDeviceCounts(read(file), keys);
  const byteCounts = counts(bytes, { rbytes: 'Read', wbytes: 'Write', dbytes: 'Discard' });
  const operationCounts = counts(operations, { rios: 'Read', wios: 'Write', dios: 'Discard' });
  const only = (file: string, count: typeof byteCounts, operation: string): Source => ({
    files: [file],
    rows: (of) => count(of).filter((each) => each.operation === operation).map((each) => [[of.deviceName(each.major, each.minor)], each.value]),
  });
  add('COUNTER', 'fs_reads_bytes_total', 'Cumulative count of bytes read.', when(io, only(bytes, byteCounts, 'Read')), device);
  add('COUNTER', 'fs_reads_total', 'Cumulative count of reads completed.', when(io, only(operations, operationCounts, 'Read')), device);
  add('COUNTER', 'fs_writes_bytes_total', 'Cumulative count of bytes written.', when(io, only(bytes, byteCounts, 'Write')), device);
  add('COUNTER', 'fs_writes_total', 'Cumulative count of writes completed.', when(io, only(operations, operationCounts, 'Write')), device);
  add('COUNTER', 'blkio_device_usage_total', 'Blkio device bytes usage.', when(io, {
    files: [bytes],
    rows: (of) => byteCounts(of).map(({ major, minor, operation, value }) => [[of.deviceName(major, minor), major, minor, operation], value]),
  }), ['device', 'major', 'minor', 'operation']);
}

/** Processes and what they hold. */
function processes({ add, has, pick, when, version }: Builder): void {
  const pids = has('pids');
  const pidsFile = (name: string) => (version === 1 ? `pids/${name}` : name);
  add('GAUGE', 'processes', 'Number of processes running inside the container.', plain(({ processes }) => [[[], BigInt(processes.count)]]));
  add('GAUGE', 'threads', 'Number of threads running inside the container.', when(pids, one(pidsFile('pids.current'), numberIn)));
  add('GAUGE', 'threads_max', 'Maximum number of threads allowed inside the container, infinity if value is zero.', when(pids, pick(one('pids/pids.max', numberIn), limit('pids.max', numberIn))));
  add('GAUGE', 'file_descriptors', 'Number of open file descriptors for the container.', plain(({ processes }) => [[[], BigInt(processes.fileDescriptors)]]));
  add('GAUGE', 'sockets', 'Number of open sockets for the container.', plain(({ processes }) => [[[], BigInt(processes.sockets)]]));
  add('GAUGE', 'ulimits_soft', 'Soft ulimit values for the container root process; those that are unlimited are left out.', plain(({ limits }) => {
    const files = softLimit(limits, 'Max open files');
    return files === undefined ? [] : [[['max_open_files'], files]];
  }), ['ulimit']);
}

/** Limits, and when the container was started and seen. */
function spec({ add, has, pick, when, version, host }: Builder): void {
  const limited = has('memory');
  const cpuMax = (at: 0 | 1): Source => ({
    files: ['cpu.max', 'container/cpu.max'],
    rows: (of) => {
      const value = limitText('cpu.max', of).trim().split(' ')[at] ?? '';
      return /^\d+$/.test(value) ? [[[], BigInt(value)]] : [];
    },
  });
  const quota: Source = { files: ['cpu/cpu.cfs_quota_us'], rows: ({ file }) => someAbove(numberIn(file('cpu/cpu.cfs_quota_us'))) };
  add('GAUGE', 'spec_cpu_period', 'CPU period of the container.', when(has('cpu'), pick(one('cpu/cpu.cfs_period_us', numberIn), cpuMax(1))));
  add('GAUGE', 'spec_cpu_quota', 'CPU quota of the container; left out when there is none.', when(has('cpu'), pick(quota, cpuMax(0))));
  add('GAUGE', 'spec_cpu_shares', 'CPU share of the container.', when(has('cpu'), pick(one('cpu/cpu.shares', numberIn), plain(({ cpuShares }) => [[[], cpuShares]]))));
  add('GAUGE', 'spec_memory_limit_bytes', 'Memory limit for the container, 0 for none.',
    when(limited, pick(one('memory/memory.limit_in_bytes', limitIn), limit('memory.max', limitIn))));
  add('GAUGE', 'spec_memory_reservation_limit_bytes', 'Memory reservation limit for the container, 0 for none.',
    when(limited, one(version === 1 ? 'memory/memory.soft_limit_in_bytes' : 'memory.low', limitIn)));
  add('GAUGE', 'spec_memory_swap_limit_bytes', 'Memory swap limit for the container, 0 for none.',
    when(limited && host.swapAccounting, pick(one('memory/memory.memsw.limit_in_bytes', limitIn), limit('memory.swap.max', limitIn))));
  add('GAUGE', 'start_time_seconds', 'Start time of the container since unix epoch in seconds.', plain(({ startedAtNs }) => [[[], startedAtNs / NANOS]]));
  add('GAUGE', 'last_seen', 'Last time a container was seen by the exporter.', plain(({ atNs }) => [[[], atNs / NANOS]]));
}

/** Huge pages by size. */
function hugepages({ add, has, when, version, host }: Builder): void {
  const huge = (name: string): Source => {
    const path = (size: string) => (version === 1 ? `hugetlb/hugetlb.${size}.${name}_in_bytes` : `hugetlb.${size}.current`);
    return { files: host.hugepageSizes.map(path), rows: ({ file }) => host.hugepageSizes.map((size): Row => [[size], numberIn(file(path(size)))]) };
  };
  const hugetlb = has('hugetlb') && host.hugepageSizes.length > 0;
  add('GAUGE', 'hugetlb_usage_bytes', 'Current hugepage usage in bytes.', when(hugetlb, huge('usage')), ['pagesize']);
  add('GAUGE', 'hugetlb_max_usage_bytes', 'Maximum hugepage usage recorded in bytes.', when(hugetlb && version === 1, huge('max_usage')), ['pagesize']);
}

/** Pressure stalls. */
function pressure({ add, when, version, host }: Builder): void {
  for (const resource of ['cpu', 'memory', 'io'] as const) {
    for (const [word, kind] of [['waiting', 'some'], ['stalled', 'full']] as const) {
      add('COUNTER', `pressure_${resource}_${word}_seconds_total`, `Total time duration ${kind === 'some' ? 'tasks have' : 'no tasks could make progress,'} ${word} due to ${resource} congestion.`,
        when(version === 2 && host.pressure, one(`${resource}.pressure`, (text) => stalledUs(text, kind) / MICROS)));
    }
  }
}

const atLeastZero = (value: bigint): bigint => (value > 0n ? value : 0n);
const someAbove = (value: bigint): Row[] => (value > 0n ? [[[], value]] : []);
