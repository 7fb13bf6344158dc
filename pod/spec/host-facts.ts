import { access, constants, readFile, readdir } from 'node:fs/promises';
import { arch, hostname, release } from 'node:os';
import { join } from 'node:path';
import type { ContainerConfig } from '../../api/cri.ts';
import type { CgroupDriver, Hierarchies } from '../../host/cgroup.ts';
import type { SelinuxPolicy } from '../selinux/label.ts';
import { loadedProfiles } from './apparmor.ts';
import { CAPABILITIES } from './capabilities.ts';
import { askedDevices, hostDevices } from './host-devices.ts';
import type { Found, HostFacts } from './input.ts';
import type { OciRlimit } from './oci.ts';
import { clampRlimits, hardLimits } from './rlimits.ts';
import { localhostProfile } from './seccomp.ts';

/** What is configured or found elsewhere and belongs to the host's facts. */
export type HostOptions = {
  cgroup: { driver: CgroupDriver; host: Hierarchies };
  /** Limits for every container as the operator wants them. */
  defaultUlimits: readonly OciRlimit[];
  /** What the loaded SELinux policy says of containers; null for no labels. */
  selinux: SelinuxPolicy | null;
  /** What the engine's trial of an overlay with mapped ids said. */
  idmapObstacle: string;
};

/** Looks at this machine and at what this daemon may do; once, at start. */
export async function hostFacts({ cgroup, defaultUlimits, idmapObstacle, selinux }: HostOptions): Promise<HostFacts> {
  const [status, limits, score] = await Promise.all([
    text('/proc/self/status'),
    text('/proc/self/limits'),
    text('/proc/self/oom_score_adj'),
  ]);
  const capabilities = ownCapabilities(status);
  const mayRaise = capabilities.includes('CAP_SYS_RESOURCE');
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  return {
    hostname: hostname(),
    cgroupVersion: cgroup.host.version,
    cgroupDriver: cgroup.driver,
    capabilities,
    oomScoreAdjMin: mayRaise ? -1000 : Number(score),
    cpusets: (await controllers(cgroup.host)).includes('cpuset'),
    swapAccounting: await accountsSwap(cgroup.host),
    hugepageSizes:
      cgroup.host.version === 2 || cgroup.host.mounts['hugetlb'] !== undefined ? await hugepageSizes() : [],
    arch: arch(),
    kernel: { major, minor },
    seccompSupported: await exists('/proc/sys/kernel/seccomp/actions_avail'),
    idmapObstacle,
    selinux,
    recursiveReadOnly: major > 5 || (major === 5 && minor >= 12),
    defaultUlimits: mayRaise ? [...defaultUlimits] : clampRlimits(defaultUlimits, hardLimits(limits)),
  };
}

/**
 * Looks up what one container asks for on the host: its devices (with those of the host when it sees them all), the
 * text of its Localhost seccomp profile, as `profile` reads it, the AppArmor profiles there are, and the mount table when
 * a mount asks for propagation. Throws `invalid` for what is not there.
 */
export async function gather(config: ContainerConfig, seesAllDevices: boolean, profile: (path: string) => Promise<string>): Promise<Found> {
  const path = localhostProfile(config.linux?.security_context ?? null);
  const propagates = config.mounts.some(({ propagation }) => propagation !== 'PROPAGATION_PRIVATE');
  const all = seesAllDevices ? await hostDevices() : [];
  const asked = await Promise.all(config.devices.map(askedDevices));
  return {
    devices: [...new Map([...all, ...asked.flat()].map((device) => [device.path, device])).values()],
    seccompProfile: path === null ? null : await profile(path),
    mountinfo: propagates ? await text('/proc/self/mountinfo') : '',
    apparmorProfiles: await loadedProfiles(),
  };
}

/** Effective and bounding at once: what the daemon can both use and hand on. */
function ownCapabilities(status: string): string[] {
  const mask = (field: string): bigint =>
    BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
  const held = mask('CapEff') & mask('CapBnd');
  return CAPABILITIES.filter((_, number) => (held >> BigInt(number)) & 1n);
}

async function controllers({ version, mounts }: Hierarchies): Promise<string[]> {
  return version === 1 ? Object.keys(mounts) : (await text(`${mounts['unified']}/cgroup.controllers`)).trim().split(/\s+/);
}

async function accountsSwap(host: Hierarchies): Promise<boolean> {
  if (host.version === 1) return exists(join(host.mounts['memory'] ?? '/', 'memory.memsw.limit_in_bytes'));
  return text('/proc/swaps').then((swaps) => swaps !== '');
}

async function hugepageSizes(): Promise<string[]> {
  const names = await readdir('/sys/kernel/mm/hugepages').catch(() => []);
  return names.map((name) => sizeName(Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0))).filter(Boolean);
}

function sizeName(kib: number): string {
  if (kib >= 2 ** 20) return `${kib / 2 ** 20}GB`;
  if (kib >= 2 ** 10) return `${kib / 2 ** 10}MB`;
  return kib > 0 ? `${kib}KB` : '';
}

const text = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

const exists = async (path: string): Promise<boolean> =>
  access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
