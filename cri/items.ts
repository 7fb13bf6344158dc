import { setImmediate } from 'node:timers/promises';

/** How long one list may keep all other calls waiting, in milliseconds. */
const TURN_MS = 5;

/** Records between two looks at the clock. */
const CHUNK = 64;

/** The encoded items of those records that match, as they were at the call; a long list lets other calls come between. */
export async function itemsOf<T>(records: Iterable<T>, matches: (record: T) => boolean, item: (record: T) => Buffer): Promise<Buffer[]> {
  const items: Buffer[] = [];
  let turnMs = performance.now();
  for (const [at, record] of [...records].entries()) {
    if (at % CHUNK === CHUNK - 1 && performance.now() - turnMs > TURN_MS) {
      await setImmediate();
      turnMs = performance.now();
    }
    if (matches(record)) items.push(item(record));
  }
  return items;
}
