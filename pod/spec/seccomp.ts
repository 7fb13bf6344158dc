import type { LinuxContainerSecurityContext, SecurityProfile } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { OciSeccomp, OciSyscallArg } from './oci.ts';
import { defaultProfile } from './seccomp-default.ts';

/**
 * A seccomp profile as files on nodes are written: OCI's `linux.seccomp`, with Docker's extensions (`archMap`, one
 * `name`, and rules that count only with or without some capability, architecture or kernel).
 */
export type SeccompProfile = Omit<OciSeccomp, 'architectures' | 'syscalls'> & {
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  syscalls?: SeccompRule[] | null;
};

/** One rule of a profile; it counts when all of `includes` and none of `excludes` is true. */
export type SeccompRule = {
  name?: string;
  names?: string[] | null;
  action: string;
  errnoRet?: number;
  args?: OciSyscallArg[] | null;
  includes?: Condition | null;
  excludes?: Condition | null;
};

type Condition = { caps?: string[] | null; arches?: string[] | null; minKernel?: string };

/** What the conditions of a profile are judged by. */
export type SeccompHost = { arch: string; kernel: { major: number; minor: number }; seccompSupported: boolean };

/**
 * The filter of a container, null for none: without a wish, Unconfined, or privileged. `profileText` is the file that a
 * Localhost wish names. Throws `unsupported` when the kernel has no filters and `invalid` for a profile that is
 * unusable.
 */
export function seccomp(
  security: LinuxContainerSecurityContext | null,
  of: { capabilities: string[]; host: SeccompHost; profileText: string | null },
): OciSeccomp | null {
  const wish = seccompWish(security);
  if (wish === null || wish.profile_type === 'Unconfined' || security?.privileged) return null;
  if (!of.host.seccompSupported)
    throw new RuntimeError('unsupported', `seccomp profile ${wish.profile_type}: this kernel has no seccomp filters`);
  if (wish.profile_type === 'RuntimeDefault') return resolveProfile(defaultProfile, of);
  if (of.profileText === null) throw new RuntimeError('invalid', `seccomp profile ${wish.localhost_ref} was not read`);
  return resolveProfile(parseProfile(wish.localhost_ref, of.profileText), of);
}

/**
 * What the container asks for: the new field, else the old string (`runtime/default`, `localhost/PATH`, `unconfined`).
 */
function seccompWish(security: LinuxContainerSecurityContext | null): SecurityProfile | null {
  if (!security) return null;
  if (security.seccomp) return security.seccomp;
  const old = security.seccomp_profile_path;
  if (old === '') return null;
  if (old === 'unconfined') return { profile_type: 'Unconfined', localhost_ref: '' };
  if (old === 'runtime/default' || old === 'docker/default')
    return { profile_type: 'RuntimeDefault', localhost_ref: '' };
  if (old.startsWith('localhost/')) return { profile_type: 'Localhost', localhost_ref: old.slice('localhost/'.length) };
  throw new RuntimeError('invalid', `seccomp profile ${old} is none of runtime/default, localhost/PATH, unconfined`);
}

/** Path of the node's profile that the container asks for; null for none, and when privileged. */
export function localhostProfile(security: LinuxContainerSecurityContext | null): string | null {
  const wish = security?.privileged ? null : seccompWish(security);
  return wish?.profile_type === 'Localhost' ? wish.localhost_ref : null;
}

/** A profile with its conditions judged, as the OCI runtime takes it. */
export function resolveProfile(profile: SeccompProfile, of: { capabilities: string[]; host: SeccompHost }): OciSeccomp {
  const { archMap, architectures, syscalls, ...rest } = profile;
  const native = ARCHES[of.host.arch]?.scmp;
  const mapped = (archMap ?? []).find(({ architecture }) => architecture === native);
  const fits = (rule: SeccompRule): boolean => includes(rule.includes, of) && !excludes(rule.excludes, of);
  return {
    ...rest,
    architectures: mapped ? [mapped.architecture, ...(mapped.subArchitectures ?? [])] : (architectures ?? []),
    syscalls: (syscalls ?? []).filter(fits).map(({ name, names, action, errnoRet, args }) => ({
      names: name === undefined ? (names ?? []) : [name, ...(names ?? [])],
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args && args.length > 0 ? { args } : {}),
    })),
  };
}

/** Node's names of architectures as libseccomp and as Go call them. */
const ARCHES: Record<string, { scmp: string; go: string }> = {
  x64: { scmp: 'SCMP_ARCH_X86_64', go: 'amd64' },
  arm64: { scmp: 'SCMP_ARCH_AARCH64', go: 'arm64' },
  s390x: { scmp: 'SCMP_ARCH_S390X', go: 's390x' },
  ppc64: { scmp: 'SCMP_ARCH_PPC64LE', go: 'ppc64le' },
  riscv64: { scmp: 'SCMP_ARCH_RISCV64', go: 'riscv64' },
};

type Judge = { capabilities: string[]; host: SeccompHost };

function includes(condition: Condition | null | undefined, of: Judge): boolean {
  if (!condition) return true;
  if (condition.arches?.length && !condition.arches.includes(ARCHES[of.host.arch]?.go ?? '')) return false;
  if (condition.minKernel && !kernelIsAtLeast(of.host.kernel, condition.minKernel)) return false;
  return (condition.caps ?? []).every((capability) => of.capabilities.includes(capability));
}

function excludes(condition: Condition | null | undefined, of: Judge): boolean {
  if (!condition) return false;
  if (condition.arches?.includes(ARCHES[of.host.arch]?.go ?? '')) return true;
  if (condition.minKernel && kernelIsAtLeast(of.host.kernel, condition.minKernel)) return true;
  return (condition.caps ?? []).some((capability) => of.capabilities.includes(capability));
}

function kernelIsAtLeast(kernel: { major: number; minor: number }, version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function parseProfile(path: string, text: string): SeccompProfile {
  try {
    const profile = JSON.parse(text) as SeccompProfile | null;
    if (typeof profile?.defaultAction === 'string') return profile;
  } catch (error) {
    throw new RuntimeError('invalid', `seccomp profile ${path} is not JSON: ${String(error)}`, error);
  }
  throw new RuntimeError('invalid', `seccomp profile ${path} has no defaultAction`);
}
