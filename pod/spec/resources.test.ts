import test from 'ava';
import type { LinuxContainerResources } from '../../api/cri.ts';
import { plainHost } from './example.ts';
import { resources } from './resources.ts';
import { clampRlimits, hardLimits } from './rlimits.ts';

const asked = (changes: Partial<LinuxContainerResources>): LinuxContainerResources => ({
  cpu_period: '0',
  cpu_quota: '0',
  cpu_shares: '0',
  memory_limit_in_bytes: '0',
  oom_score_adj: '0',
  cpuset_cpus: '',
  cpuset_mems: '',
  hugepage_limits: [],
  unified: {},
  memory_swap_limit_in_bytes: '0',
  ...changes,
});

test('zero asks for no limit', (t) => {
  t.deepEqual(resources(null, plainHost), {});
  t.deepEqual(resources(asked({}), plainHost), {});
});

test('limits are handed on as they are', (t) => {
  const wish = asked({
    cpu_period: '100000',
    cpu_quota: '-1',
    cpu_shares: '2',
    cpuset_cpus: '0-1',
    cpuset_mems: '0',
    memory_limit_in_bytes: '1048576',
    memory_swap_limit_in_bytes: '2097152',
    hugepage_limits: [
      { page_size: '2MB', limit: '18446744073709551615' },
      { page_size: '1GB', limit: '1' },
    ],
    unified: { 'memory.high': '5' },
  });
  t.deepEqual(resources(wish, plainHost), {
    cpu: { shares: 2, quota: -1, period: 100000, cpus: '0-1', mems: '0' },
    memory: { limit: 1048576, swap: 2097152 },
    hugepageLimits: [{ pageSize: '2MB', limit: Number.MAX_SAFE_INTEGER }],
    unified: { 'memory.high': '5' },
  });
});

test('processors and memory nodes are refused where no cgroup can be bound to them', (t) => {
  const host = { ...plainHost, cpusets: false };
  for (const wish of [{ cpuset_cpus: '0' }, { cpuset_mems: '0' }, { unified: { 'cpuset.cpus': '0' } }]) {
    t.throws(() => resources(asked(wish), host), { message: /no cpuset controller/ });
    t.notThrows(() => resources(asked(wish), plainHost));
  }
  t.notThrows(() => resources(asked({ cpu_shares: '2', unified: { 'memory.high': '5' } }), host));
  t.deepEqual(resources(asked({ unified: { 'cpuset.cpus': '0' } }), { ...host, cgroupVersion: 1 }), {});
});

test('what the host cannot limit is left out', (t) => {
  const wish = asked({
    memory_limit_in_bytes: '4096',
    memory_swap_limit_in_bytes: '8192',
    unified: { a: 'b' },
    hugepage_limits: [{ page_size: '2MB', limit: '0' }],
  });
  t.deepEqual(resources(wish, { cgroupVersion: 1, cpusets: true, swapAccounting: false, hugepageSizes: [] }), {
    memory: { limit: 4096 },
  });
});

test('resource limits are lowered to what cannot be raised', (t) => {
  const hard = hardLimits(
    [
      'Limit                     Soft Limit           Hard Limit           Units     ',
      'Max open files            1024                 20000                files     ',
      'Max core file size        0                    unlimited            bytes     ',
    ].join('\n'),
  );
  t.deepEqual(
    clampRlimits(
      [
        { type: 'RLIMIT_NOFILE', soft: 1048576, hard: 1048576 },
        { type: 'RLIMIT_CORE', soft: 1, hard: 2 },
      ],
      hard,
    ),
    [
      { type: 'RLIMIT_NOFILE', soft: 20000, hard: 20000 },
      { type: 'RLIMIT_CORE', soft: 1, hard: 2 },
    ],
  );
});
