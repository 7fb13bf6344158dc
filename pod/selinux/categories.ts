import { RuntimeError } from '../../api/errors.ts';

/** Categories that every policy with MCS has: c0 to c1023. */
const CATEGORIES = 1024;

/** Tries at random before all pairs are gone through. */
const RANDOM_TRIES = 64;

/**
 * A level with a pair of categories that none of the `taken` levels has. `random(n)` gives a whole number from 0 to
 * n - 1. Throws `exhausted` when all half a million are taken.
 */
export function freeLevel(taken: Iterable<string>, random: (below: number) => number): string {
  const pairs = new Set([...taken].map(pairOf));
  for (let left = RANDOM_TRIES; left > 0; left -= 1) {
    const [low, high] = [random(CATEGORIES), random(CATEGORIES)].toSorted((a, b) => a - b) as [number, number];
    if (low !== high && !pairs.has(`${low},${high}`)) return `s0:c${low},c${high}`;
  }
  for (let low = 0; low < CATEGORIES; low += 1) {
    for (let high = low + 1; high < CATEGORIES; high += 1) if (!pairs.has(`${low},${high}`)) return `s0:c${low},c${high}`;
  }
  throw new RuntimeError('exhausted', 'every pair of SELinux categories belongs to a pod: remove pods that are not needed');
}

/** The pair of a level, lower category first, in whichever order it was written; empty when it has no such pair. */
function pairOf(level: string): string {
  const [, one, other] = /:c(\d+),c(\d+)$/.exec(level) ?? [];
  return one === undefined ? '' : [Number(one), Number(other)].toSorted((a, b) => a - b).join(',');
}
