import type { Exit } from '../api/shim.ts';
import { waitFor } from './operations.ts';

/** Those who wait for the end of a container's process. */
export type ExitWaiters = {
  /** Resolves when `told` is called for the container; aborting ends the wait. */
  next(container: string, signal: AbortSignal): Promise<Exit>;
  told(container: string, exit: Exit): void;
  /** Nobody can wait for a removed container. */
  forget(container: string): void;
};

/** Nobody waits yet. */
export function exitWaiters(): ExitWaiters {
  const waiting = new Map<string, { promise: Promise<Exit>; resolve: (exit: Exit) => void }>();
  return {
    next(container, signal) {
      let entry = waiting.get(container);
      if (!entry) {
        entry = Promise.withResolvers<Exit>();
        waiting.set(container, entry);
      }
      return waitFor(entry.promise, signal);
    },
    told(container, exit) {
      waiting.get(container)?.resolve(exit);
      waiting.delete(container);
    },
    forget: (container) => void waiting.delete(container),
  };
}
