import type { OciRlimit } from './oci.ts';

/** Lines of /proc/PID/limits by the name of the limit in getrlimit(2). */
const NAMES: Record<string, string> = {
  'Max cpu time': 'RLIMIT_CPU',
  'Max file size': 'RLIMIT_FSIZE',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE',
  'Max resident set': 'RLIMIT_RSS',
  'Max processes': 'RLIMIT_NPROC',
  'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max address space': 'RLIMIT_AS',
  'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING',
  'Max msgqueue size': 'RLIMIT_MSGQUEUE',
  'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO',
  'Max realtime timeout': 'RLIMIT_RTTIME',
};

/** Names of all limits. */
export const RLIMITS: ReadonlySet<string> = new Set(Object.values(NAMES));

/** Hard limits out of /proc/PID/limits (proc_pid_limits(5)), Infinity for unlimited. */
export function hardLimits(text: string): Map<string, number> {
  const limits = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, label = '', hard = ''] = /^(Max [a-z ]+?)\s{2,}\S+\s+(\S+)/.exec(line) ?? [];
    const name = NAMES[label];
    if (name !== undefined) limits.set(name, hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard));
  }
  return limits;
}

/** The wanted limits, lowered to the hard ones that a process without CAP_SYS_RESOURCE cannot raise. */
export function clampRlimits(wanted: readonly OciRlimit[], hard: Map<string, number>): OciRlimit[] {
  return wanted.map(({ type, soft, hard: wish }) => {
    const most = hard.get(type) ?? Number.POSITIVE_INFINITY;
    return { type, soft: Math.min(soft, most), hard: Math.min(wish, most) };
  });
}
