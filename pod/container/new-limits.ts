import type { LinuxContainerResources } from '../../api/cri.ts';

/**
 * The limits of a container after an update: those that `asked` leaves out (zero or empty) stay, huge pages and
 * `unified` by their keys. A swap limit counts memory too: where only the memory changes, as much swap as before is left.
 */
export function newLimits(before: LinuxContainerResources | null, asked: LinuxContainerResources): LinuxContainerResources {
  if (before === null) return asked;
  const unset = (key: string): string => (key.startsWith('cpuset_') ? '' : '0');
  const named = Object.entries(asked).filter(([key, value]) => typeof value === 'string' && value !== unset(key));
  const pages = new Map([...before.hugepage_limits, ...asked.hugepage_limits].map((limit) => [limit.page_size, limit]));
  return {
    ...before,
    ...(Object.fromEntries(named) as Partial<LinuxContainerResources>),
    memory_swap_limit_in_bytes: swapLimit(before, asked),
    hugepage_limits: [...pages.values()],
    unified: { ...before.unified, ...asked.unified },
  };
}

function swapLimit(before: LinuxContainerResources, asked: LinuxContainerResources): string {
  if (asked.memory_swap_limit_in_bytes !== '0') return asked.memory_swap_limit_in_bytes;
  const [memory, swap, wanted] = [before.memory_limit_in_bytes, before.memory_swap_limit_in_bytes, asked.memory_limit_in_bytes].map(BigInt) as [bigint, bigint, bigint];
  if (wanted <= 0n || memory <= 0n || swap < memory) return before.memory_swap_limit_in_bytes;
  return `${wanted + swap - memory}`;
}
