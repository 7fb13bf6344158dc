import { RuntimeError } from '../api/errors.ts';
import type { Exit } from '../api/shim.ts';
import { unlessAborted } from '../host/unless-aborted.ts';

/** Those who wait for the end of a container's process. */
export type ExitWaiters = {
  /** Resolves when `told` is called for the container; aborting ends the wait. */
  next(container: string, signal: AbortSignal): Promise<Exit>;
  told(container: string, exit: Exit): void;
  /** The container is removed: who still waits is told so (`not-found`). */
  forget(container: string): void;
};

/** Nobody waits yet. */
export function exitWaiters(): ExitWaiters {
  const waiting = new Map<string, PromiseWithResolvers<Exit>>();
  return {
    next(container, signal) {
      let entry = waiting.get(container);
      if (!entry) {
        entry = Promise.withResolvers<Exit>();
        entry.promise.catch(() => undefined);
        waiting.set(container, entry);
      }
      return unlessAborted(entry.promise, signal);
    },
    told(container, exit) {
      waiting.get(container)?.resolve(exit);
      waiting.delete(container);
    },
    forget(container) {
      waiting.get(container)?.reject(new RuntimeError('not-found', `container ${container} was removed`));
      waiting.delete(container);
    },
  };
}
