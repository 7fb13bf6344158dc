import type { LinuxContainerResources } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { OciResources } from './oci.ts';

/** What this machine's cgroups can do. */
export type ResourceHost = { cgroupVersion: 1 | 2; cpusets: boolean; swapAccounting: boolean; hugepageSizes: string[] };

/**
 * CRI's resources as the OCI runtime takes them, for create and for update; zero means "no limit asked" as in CRI.
 * A swap limit counts memory and swap together and is left out where the kernel cannot account swap; limits for sizes
 * of huge pages that this host lacks are left out too; `unified` counts on cgroup version 2 only. Throws `invalid` for
 * processors or memory nodes where no cgroup can be bound to them.
 */
export function resources(asked: LinuxContainerResources | null, host: ResourceHost): OciResources {
  if (asked === null) return {};
  refuseUnbindable(asked, host);
  const cpu = withoutZeros({
    shares: integer(asked.cpu_shares),
    quota: integer(asked.cpu_quota),
    period: integer(asked.cpu_period),
    cpus: asked.cpuset_cpus,
    mems: asked.cpuset_mems,
  });
  const memory = withoutZeros({
    limit: integer(asked.memory_limit_in_bytes),
    swap: host.swapAccounting ? integer(asked.memory_swap_limit_in_bytes) : 0,
  });
  const pages = asked.hugepage_limits.filter(({ page_size }) => host.hugepageSizes.includes(page_size));
  return {
    ...(cpu ? { cpu } : {}),
    ...(memory ? { memory } : {}),
    ...(pages.length > 0
      ? { hugepageLimits: pages.map(({ page_size, limit }) => ({ pageSize: page_size, limit: integer(limit) })) }
      : {}),
    ...(host.cgroupVersion === 2 && Object.keys(asked.unified).length > 0 ? { unified: asked.unified } : {}),
  };
}

/** Left out they would not hold, and an OCI runtime fails over them late and in words of its own. */
function refuseUnbindable(asked: LinuxContainerResources, host: ResourceHost): void {
  if (host.cpusets) return;
  const files = host.cgroupVersion === 2 ? Object.keys(asked.unified).filter((name) => name.startsWith('cpuset.')) : [];
  const [wish] = [asked.cpuset_cpus && `cpuset_cpus ${asked.cpuset_cpus}`, asked.cpuset_mems && `cpuset_mems ${asked.cpuset_mems}`, ...files].filter(Boolean);
  if (wish) throw new RuntimeError('invalid', `${wish} cannot be set: this machine's cgroups have no cpuset controller, ask for none or enable it`);
}

/** Values that JSON cannot carry exactly are beyond any real limit (9 PiB) and become the largest that it can. */
function integer(text: string): number {
  const value = Number(text);
  return Math.max(Math.min(value, Number.MAX_SAFE_INTEGER), Number.MIN_SAFE_INTEGER);
}

function withoutZeros<T extends Record<string, number | string>>(values: T): Partial<T> | null {
  const kept = Object.entries(values).filter(([, value]) => value !== 0 && value !== '');
  return kept.length > 0 ? (Object.fromEntries(kept) as Partial<T>) : null;
}

/** What a pod may use in sum, as decimal texts; `0` is no limit. */
export function podSize(limits: LinuxContainerResources): { cpuPeriod: string; cpuQuota: string; cpuShares: string; memoryBytes: string } {
  const { cpu_period, cpu_quota, cpu_shares, memory_limit_in_bytes } = limits;
  return { cpuPeriod: cpu_period, cpuQuota: cpu_quota, cpuShares: cpu_shares, memoryBytes: memory_limit_in_bytes };
}
