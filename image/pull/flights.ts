import { unlessAborted } from '../../host/unless-aborted.ts';

/** Work that several callers wait for. */
export type Flight<T> = {
  result: Promise<T>;
  /** No longer interested. The last one to leave ends the work, and waits until its result is discarded. */
  leave(): Promise<void>;
};

/** Work in flight by key, done once for all who ask for the same. */
export type Flights<T> = {
  /** Joins the work of `key` or starts it; its signal aborts when nobody waits any more. */
  join(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T>;
  /** Aborts all work and waits until it has ended. */
  close(): Promise<void>;
};

/** `discard` gets each result when the last of its callers has left. */
export function createFlights<T>(discard: (value: T) => Promise<void> = () => Promise.resolve()): Flights<T> {
  type Entry = { result: Promise<T>; abort: AbortController; callers: number };
  const entries = new Map<string, Entry>();
  const ending = new Set<Promise<void>>();

  const open = (key: string, start: (signal: AbortSignal) => Promise<T>): Entry => {
    const abort = new AbortController();
    const entry = { result: start(abort.signal), abort, callers: 0 };
    entries.set(key, entry);
    entry.result.catch(() => forget(key, entry));
    return entry;
  };
  const forget = (key: string, entry: Entry): void => {
    if (entries.get(key) === entry) entries.delete(key);
  };
  const end = (key: string, entry: Entry): Promise<void> => {
    forget(key, entry);
    entry.abort.abort();
    const ended = entry.result.then(discard).catch(() => undefined);
    ending.add(ended);
    return ended.finally(() => ending.delete(ended));
  };
  return {
    join(key, start) {
      const entry = entries.get(key) ?? open(key, start);
      entry.callers++;
      let left: Promise<void> | undefined;
      const leave = (): Promise<void> => (left ??= --entry.callers === 0 ? end(key, entry) : Promise.resolve());
      return { result: entry.result, leave };
    },
    async close() {
      for (const [key, entry] of entries) void end(key, entry);
      await Promise.all(ending);
    },
  };
}

/** The flight's result, or the reason of `signal` as soon as it aborts. */
export function waitFor<T>(flight: Flight<T>, signal: AbortSignal): Promise<T> {
  return unlessAborted(flight.result, signal);
}
