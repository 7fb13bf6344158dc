import type { Random } from '../harness/random.ts';
import type { Part } from './script.ts';

/** Who can be killed; `both` is the daemon with its engine. */
export const victims = ['daemon', 'engine', 'both', 'shim', 'runtime', 'plugin'] as const;
export type Victim = (typeof victims)[number];
/** One thing to do to the runtime, `atMs` after the beginning of the minute. */
export type Blow = { readonly atMs: number } & (
  | { readonly act: 'restart daemon' | 'restart engine' }
  | { readonly act: 'kill'; readonly victim: Exclude<Victim, 'runtime' | 'plugin'> }
  /** The next program that is run so is killed after that many milliseconds. */
  | { readonly act: 'kill'; readonly victim: 'runtime' | 'plugin'; readonly run: string; readonly afterMs: number }
);

/** How often each is killed in 100 minutes. */
const kills: Readonly<Record<Victim, number>> = { daemon: 50, engine: 70, both: 25, shim: 60, runtime: 300, plugin: 200 };
const runs = {
  runtime: ['create', 'start', 'exec', 'delete', 'kill'],
  plugin: ['bridge.ADD', 'bridge.DEL', 'host-local.ADD', 'host-local.DEL', 'portmap.ADD', 'portmap.DEL'],
} as const;
/** The OCI runtime and the plugins take tens of milliseconds on a machine at rest. */
const LONGEST_RUN_MS = 80;
const MINUTE_MS = 60_000;
/** The last seconds of a minute are quiet: memory is measured then. */
const QUIET_MS = 12_000;

/** What is done to the runtime in one minute: daemon and engine are restarted, and some are killed; by time. */
export function blows(random: Random): Blow[] {
  const atMs = (): number => random.below(MINUTE_MS - QUIET_MS);
  const killed = victims.flatMap((victim) => {
    const certain = Math.floor(kills[victim] / 100);
    const one = random.below(100) < kills[victim] % 100 ? 1 : 0;
    return Array.from({ length: certain + one }, () => victim);
  });
  const all: Blow[] = [
    { act: 'restart daemon', atMs: atMs() },
    { act: 'restart engine', atMs: atMs() },
    ...killed.map((victim): Blow => {
      if (victim !== 'runtime' && victim !== 'plugin') return { act: 'kill', victim, atMs: atMs() };
      return { act: 'kill', victim, run: random.of<string>(runs[victim]), afterMs: random.below(LONGEST_RUN_MS), atMs: atMs() };
    }),
  ];
  return all.sort((one, other) => one.atMs - other.atMs);
}

/** How one pod lives. */
export type PodPlan = {
  /** How many containers come after each other in it; a pod that stays has no end of them. */
  readonly attempts: number;
  /** Whether it is removed while its last container runs. */
  readonly cut: boolean;
  /** Whether a port of the host leads to it. */
  readonly hostPort: boolean;
};

export function podPlan(random: Random, stays: boolean): PodPlan {
  return { attempts: stays ? Number.POSITIVE_INFINITY : 1 + random.below(4), cut: random.below(3) === 0, hostPort: random.below(2) === 0 };
}

/** How one container lives, which writes at most `longest` lines; `stopAfterMs` when it is stopped before its end. */
export function containerPlan(random: Random, longest: number, id: string): Part & { readonly stopAfterMs: number | undefined } {
  const lines = 1 + random.below(longest);
  const stopAfterMs = random.below(6) === 0 ? random.below(lines * 100) : undefined;
  return { id, lines, code: random.below(4) === 0 ? 0 : 1 + random.below(254), stopAfterMs };
}
