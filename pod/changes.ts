import type { LifecycleType } from '../api/events.ts';
import type { Log } from '../api/observe.ts';
import { wallClockMs } from '../host/clock.ts';
import type { Container, Sandbox } from './record.ts';

/** One change of a pod, or of one of its containers, with the records as they were right after it; of what was removed, the last ones. */
export type Change = {
  type: LifecycleType;
  /** Grows from change to change, so that it also tells their order. */
  atNs: bigint;
  sandbox: Sandbox;
  container: Container | null;
};

/** Takes a change as it happens; has to return at once. */
export type ChangeListener = (change: Change) => void;

/** Where the pod core tells its changes, each before anything else happens: the store is still as the change left it. */
export type Changes = {
  /** Wall clock in nanoseconds since 1970, later than any stamp before. */
  stampNs(): bigint;
  tell(change: Change): void;
  /** Adds a listener; the function that comes back takes it away. */
  subscribe(listener: ChangeListener): () => void;
};

/** Nobody listens yet. A listener that throws is logged and harms neither the change nor other listeners. */
export function openChanges(log: Log, clockMs: () => number = wallClockMs): Changes {
  const listeners = new Set<ChangeListener>();
  let lastNs = 0n;
  return {
    stampNs() {
      const nowNs = BigInt(clockMs()) * 1_000_000n;
      lastNs = nowNs > lastNs ? nowNs : lastNs + 1n;
      return lastNs;
    },
    tell(change) {
      for (const listener of listeners) {
        try {
          listener(change);
        } catch (error) {
          log.error('a listener failed on a change', { type: change.type, sandbox: change.sandbox.id, error: String(error) });
        }
      }
    },
    subscribe(listener) {
      const own: ChangeListener = (change) => listener(change);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
