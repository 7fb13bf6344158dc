import { overLimit } from '../api/errors.ts';

/** Runs work one after the other for each key, side by side for different keys. */
export type KeyedQueue = {
  /** Runs `work` when all earlier work of `key` has ended; its failure does not stop the queue. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** How many keys have work. */
  size(): number;
};

/** A queue with no keys yet; a key costs memory only while it has work. Beyond `maxQueued` for one key work is refused as `exhausted`. */
export function keyedQueue(maxQueued = Number.POSITIVE_INFINITY): KeyedQueue {
  const tails = new Map<string, Promise<void>>();
  const counts = new Map<string, number>();
  return {
    run(key, work) {
      const queued = counts.get(key) ?? 0;
      if (queued >= maxQueued) return Promise.reject(overLimit('maxQueued', maxQueued, `too many calls wait for ${key}: try again when they are done`));
      counts.set(key, queued + 1);
      const turn = tails.get(key) ?? Promise.resolve();
      const result = turn.then(work);
      const tail = result.then(
        () => undefined,
        () => undefined,
      );
      tails.set(key, tail);
      void tail.then(() => {
        counts.set(key, (counts.get(key) ?? 1) - 1);
        if (counts.get(key) === 0) counts.delete(key);
        if (tails.get(key) === tail) tails.delete(key);
      });
      return result;
    },
    size: () => tails.size,
  };
}
