import test from 'ava';
import type { LinuxContainerResources } from '../../api/cri.ts';
import { newLimits } from './new-limits.ts';

const limits = (changes: Partial<LinuxContainerResources>): LinuxContainerResources => ({
  cpu_period: '0', cpu_quota: '0', cpu_shares: '0', memory_limit_in_bytes: '0', oom_score_adj: '0', cpuset_cpus: '',
  cpuset_mems: '', hugepage_limits: [], unified: {}, memory_swap_limit_in_bytes: '0', ...changes,
});

test('what is left out stays, what is named replaces', (t) => {
  const before = limits({ cpu_shares: '512', cpu_quota: '1000', cpuset_cpus: '0' });
  const after = newLimits(before, limits({ cpu_quota: '-1', memory_limit_in_bytes: '4096' }));
  t.deepEqual(after, limits({ cpu_shares: '512', cpu_quota: '-1', cpuset_cpus: '0', memory_limit_in_bytes: '4096' }));
  t.deepEqual(newLimits(null, before), before);
  t.is(newLimits(limits({ cpuset_cpus: '1' }), limits({ cpuset_cpus: '0' })).cpuset_cpus, '0');
});

test('huge pages and unified change by key', (t) => {
  const before = limits({ hugepage_limits: [{ page_size: '2MB', limit: '1' }, { page_size: '1GB', limit: '2' }], unified: { a: '1', b: '2' } });
  const after = newLimits(before, limits({ hugepage_limits: [{ page_size: '2MB', limit: '9' }], unified: { b: '3' } }));
  t.deepEqual(after.hugepage_limits, [{ page_size: '2MB', limit: '9' }, { page_size: '1GB', limit: '2' }]);
  t.deepEqual(after.unified, { a: '1', b: '3' });
});

test('with more or less memory the swap stays as much as it was, unless it is named or unlimited', (t) => {
  const before = limits({ memory_limit_in_bytes: '100', memory_swap_limit_in_bytes: '130' });
  const swap = (from: LinuxContainerResources, changes: Partial<LinuxContainerResources>) => newLimits(from, limits(changes)).memory_swap_limit_in_bytes;
  t.is(swap(before, { memory_limit_in_bytes: '200' }), '230');
  t.is(swap(before, { memory_limit_in_bytes: '200', memory_swap_limit_in_bytes: '200' }), '200');
  t.is(swap(before, { cpu_quota: '5' }), '130');
  t.is(swap(limits({ memory_limit_in_bytes: '100' }), { memory_limit_in_bytes: '200' }), '0');
  t.is(swap(limits({ memory_limit_in_bytes: '100', memory_swap_limit_in_bytes: '-1' }), { memory_limit_in_bytes: '200' }), '-1');
});
