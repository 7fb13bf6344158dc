/** Runs work one after the other for each key, side by side for different keys. */
export type KeyedQueue = {
  /** Runs `work` when all earlier work of `key` has ended; its failure does not stop the queue. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** How many keys have work. */
  size(): number;
};

/** A queue with no keys yet; a key costs memory only while it has work. */
export function keyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<void>>();
  return {
    run(key, work) {
      const turn = tails.get(key) ?? Promise.resolve();
      const result = turn.then(work);
      const tail = result.then(
        () => undefined,
        () => undefined,
      );
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      return result;
    },
    size: () => tails.size,
  };
}
