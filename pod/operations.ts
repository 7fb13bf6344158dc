import { overLimit, RuntimeError } from '../api/errors.ts';
import { unlessAborted } from '../host/unless-aborted.ts';

/** Creations in flight, each under the identity with which the kubelet would retry it. */
export type Operations = {
  /**
   * Starts `work` under `key`, or joins the work that runs under it already; `fingerprint` tells whether it is the
   * same request (a different one fails as `exists`). Aborting `signal` ends the wait, never the work.
   */
  join(key: string, fingerprint: string, signal: AbortSignal, work: () => Promise<string>): Promise<string>;
};

/** No operations yet, and never more than `maxCreations`; a key is free again as soon as its work has ended, well or not. */
export function joinedOperations(maxCreations: number): Operations {
  const running = new Map<string, { fingerprint: string; result: Promise<string> }>();
  return {
    join(key, fingerprint, signal, work) {
      const same = running.get(key);
      if (same && same.fingerprint !== fingerprint) {
        return Promise.reject(new RuntimeError('exists', `${key} is being created from another configuration: retry when that has ended`));
      }
      if (same) return unlessAborted(same.result, signal);
      if (running.size >= maxCreations) {
        return Promise.reject(overLimit('maxCreations', maxCreations, `${key}: too many pods and containers are being made: try again later`));
      }
      const result = work().finally(() => running.delete(key));
      running.set(key, { fingerprint, result });
      return unlessAborted(result, signal);
    },
  };
}
