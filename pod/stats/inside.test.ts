import test from 'ava';
import { countersIn, familiesInside, measureInside } from './inside.ts';
import { containerFamilies, type Measured } from './metric-families.ts';

test('what a runtime prints of a container in its sandbox is read, parts that it does not know are none', (t) => {
  const printed = '{"type":"stats","id":"a","data":{"cpu":{"usage":{"total":580112724}},"memory":{"usage":{"limit":0,"usage":5533696}},"pids":{"current":2}}}\n';
  const memory = { memoryUsageBytes: '5533696', workingSetBytes: '5533696', rssBytes: '5533696' };
  t.deepEqual(countersIn(printed), { cpuUsageNs: '580112724', ...memory, pids: '2' });
  t.like(countersIn('{"data":{"cpu":{"usage":{"total":"x"}}}}'), { cpuUsageNs: '0', memoryUsageBytes: '0', pids: '0' });
});

test('what is no such thing tells nothing', (t) => {
  for (const text of ['', 'no such container', 'null', '{}', '{"data":{}}', '[1]']) t.is(countersIn(text), null, text);
});

for (const version of [1, 2] as const) {
  test(`the metrics of a container in its sandbox are the counters of its runtime, others are left out (cgroup version ${version})`, (t) => {
    const controllers = new Set(version === 1 ? ['cpu', 'cpuacct', 'memory', 'pids'] : ['cpu', 'memory', 'pids']);
    const all = containerFamilies({ version, controllers, kernel: { major: 6, minor: 1 }, swapAccounting: true, pressure: true, hugepageSizes: [] });
    const counters = { cpuUsageNs: '7000000000', memoryUsageBytes: '4096', workingSetBytes: '4096', rssBytes: '4096', pids: '2' };
    const families = familiesInside(all, counters);
    const names = families.flatMap(({ files }) => files);
    const { texts, processes } = measureInside('a', version, names, counters);
    const file = (name: string): string => texts[names.indexOf(name)] ?? '';
    const of = { file, processes: { count: processes } } as Measured;
    const value = (name: string) => families.find((one) => one.name === `container_${name}`)?.rows(of)[0]?.[1];
    t.deepEqual(
      ['cpu_usage_seconds_total', 'memory_usage_bytes', 'memory_working_set_bytes', 'memory_rss', 'processes', 'memory_cache'].map(value),
      [7n, 4096n, 4096n, 4096n, 2n, undefined],
    );
    const host = ['fs_inodes_free', 'fs_inodes_total', 'fs_limit_bytes', 'fs_usage_bytes', 'start_time_seconds', 'last_seen'];
    t.deepEqual(familiesInside(all, undefined).map(({ name }) => name), host.map((name) => `container_${name}`));
  });
}
