import test from 'ava';
import type { CgroupSample } from '../../api/engine.ts';
import { summed } from './sum.ts';

const sample = (changes: Partial<CgroupSample>): CgroupSample => ({
  id: 'c', atNs: '5', monotonicNs: '4', cpuUsageNs: '18446744073709551615', memoryUsageBytes: '3', workingSetBytes: '2', rssBytes: '1',
  pageFaults: '1', majorPageFaults: '0', swapUsageBytes: '0', memoryLimitBytes: '10', swapLimitBytes: '0', pids: '2',
  oomKills: '0', pressure: null, ...changes,
});

test('counters add up exactly, a limit only where each has one', (t) => {
  const total = summed('p', [sample({}), sample({ cpuUsageNs: '1', swapLimitBytes: '4' })]);
  t.is(total?.id, 'p');
  t.is(total?.cpuUsageNs, '18446744073709551616');
  t.is(total?.pids, '4');
  t.is(total?.memoryLimitBytes, '20');
  t.is(total?.swapLimitBytes, '0');
});

test('nothing adds up to nothing', (t) => {
  t.is(summed('p', []), undefined);
});
