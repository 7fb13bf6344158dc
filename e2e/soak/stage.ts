import { status } from '@grpc/grpc-js';
import type { Daemon } from '../harness/daemon.ts';
import { random } from '../harness/random.ts';
import { revive } from './blows.ts';
import { inhabit } from './pod.ts';
import { probe, rotate, stream } from './probe.ts';
import type { Frail } from './programs.ts';
import { pullAndRemove } from './pull.ts';
import { again, codeOf, problem, type Soak } from './soak.ts';
import { startWatch } from './watch.ts';

/** What a soak is made with. */
export type SoakOptions = {
  readonly daemon: Daemon;
  readonly frail: Frail;
  readonly directory: string;
  readonly seed: number;
  readonly pods: number;
  readonly longest: number;
};

/** Of so many pods one stays for the whole run. */
const STAYS_EVERY = 5;
/** Ports of the host from here on, one for each home. */
const FIRST_PORT = 28_200;
const REVIVAL_MS = 1000;

/** A soak before its beginning; busybox must be there. */
export function makeSoak({ daemon, frail, directory, seed, pods, longest }: SoakOptions): Soak {
  const soak: Soak = {
    daemon,
    random: random(seed),
    frail,
    watch: startWatch(daemon, (error) => {
      if (!soak.daemonAway && ![status.UNAVAILABLE, status.CANCELLED].includes(codeOf(error))) problem(soak, `a list failed: ${String(error)}`);
    }),
    directory,
    longest,
    over: false,
    daemonAway: false,
    counts: new Map(),
    problems: [],
    homes: Array.from({ length: pods }, (_, i) => ({ name: `soak-${i}`, hostPort: FIRST_PORT + i, stays: i % STAYS_EVERY === 0, pod: undefined })),
  };
  return soak;
}

/** Lets pods live, be probed, and their logs be rotated, as long as `doing` takes; then all come to their end. */
export async function during(soak: Soak, doing: () => Promise<void>): Promise<void> {
  const pauses = (mostMs: number) => () => soak.random.below(mostMs);
  const actors = [
    ...soak.homes.map((home) => inhabit(soak, home)),
    again(soak, 'probe', pauses(1000), () => probe(soak)),
    again(soak, 'probe', pauses(3000), () => probe(soak)),
    again(soak, 'stream', pauses(6000), () => stream(soak)),
    again(soak, 'rotation', pauses(2000), () => rotate(soak)),
    again(soak, 'pull', pauses(10_000), () => pullAndRemove(soak)),
  ];
  // Who comes to an end needs a daemon too.
  const reviving = setInterval(() => void revive(soak), REVIVAL_MS);
  try {
    await doing();
  } finally {
    soak.over = true;
    await Promise.all(actors);
    clearInterval(reviving);
    await soak.watch.stop();
  }
}
