import { randomBytes } from 'node:crypto';
import { RuntimeError } from '../../api/errors.ts';

/** What was prepared for clients to come, by a secret that works once and not for long. */
export type Tokens<T> = {
  /** Keeps the value and returns its secret, fit for a URL. Throws `exhausted` while too many wait to be used. */
  give(value: T): string;
  /** The value of a secret; undefined when it is unknown, used or too old. */
  take(token: string): T | undefined;
};

const TOKEN_BYTES = 18;

/** No tokens yet. `lifeMs` is how long one works, `most` how many may wait; `now` is a clock in milliseconds. */
export function openTokens<T>({ lifeMs, most, now }: { lifeMs: number; most: number; now: () => number }): Tokens<T> {
  const waiting = new Map<string, { value: T; untilMs: number }>();

  /** They all live equally long, so that the oldest are first. */
  function dropOld(): void {
    for (const [token, { untilMs }] of waiting) {
      if (untilMs > now()) return;
      waiting.delete(token);
    }
  }

  return {
    give(value) {
      dropOld();
      if (waiting.size >= most) {
        throw new RuntimeError(
          'exhausted',
          `${most} streams wait for their clients: try again within ${lifeMs / 1000} s`,
        );
      }
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      waiting.set(token, { value, untilMs: now() + lifeMs });
      return token;
    },
    take(token) {
      dropOld();
      const found = waiting.get(token);
      waiting.delete(token);
      return found?.value;
    },
  };
}
