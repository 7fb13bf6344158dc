import { randomInt } from 'node:crypto';

/** Random choices that can be made again. */
export type Random = { seed: number; below(limit: number): number; of<T>(choices: readonly T[]): T };

/** A generator whose seed is told in the test's log; `BERTH_SEED` names the one to replay. */
export function seeded(t: { log(text: string): void }): Random {
  const seed = Number(process.env['BERTH_SEED'] ?? randomInt(1 << 30));
  t.log(`BERTH_SEED=${seed} replays this`);
  return random(seed);
}

/** xorshift32: the same numbers for the same seed. */
export function random(seed: number): Random {
  let state = (seed | 0) === 0 ? 1 : seed | 0;
  const below = (limit: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  return {
    seed,
    below,
    of: (choices) => {
      const chosen = choices[below(choices.length)];
      if (chosen === undefined) throw new RangeError('nothing to choose from');
      return chosen;
    },
  };
}
