import { randomBytes } from 'node:crypto';
import { RuntimeError } from '../../api/errors.ts';

/** What was prepared for clients to come, by a secret that works once and not for long. */
export type Tokens<T> = {
  /** Keeps the value and returns its secret, fit for a URL. Throws `exhausted` while too many wait to be used. */
  give(value: T): string;
  /** The value of a secret; undefined when it is unknown, used or too old. */
  take(token: string): T | undefined;
  /** How many wait to be used. */
  waiting(): number;
};

const TOKEN_BYTES = 18;

/** How long a token works, how many may wait, and a clock; in milliseconds. */
export type TokenOptions = { tokenLifeMs: number; maxTokens: number; now: () => number };

/** No tokens yet. */
export function openTokens<T>({ tokenLifeMs, maxTokens, now }: TokenOptions): Tokens<T> {
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
      if (waiting.size >= maxTokens) {
        const again = `try again within ${tokenLifeMs / 1000} s`;
        throw new RuntimeError('exhausted', `streams wait for their clients: ${again} (limit maxTokens, ${maxTokens})`);
      }
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      waiting.set(token, { value, untilMs: now() + tokenLifeMs });
      return token;
    },
    take(token) {
      dropOld();
      const found = waiting.get(token);
      waiting.delete(token);
      return found?.value;
    },
    waiting: () => {
      dropOld();
      return waiting.size;
    },
  };
}
