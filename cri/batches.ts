import { setImmediate } from 'node:timers/promises';
import { encodedList, listBytes, writeItem } from '../api/cri.ts';
import { refuseLarge } from './reply-limit.ts';

/** Bytes of a list that are written before other calls come between. */
const TURN_BYTES = 1 << 20;

/**
 * The one reply of a list: every encoded item once, in order. Throws `exhausted` when it would be larger than an answer may
 * be; a long one lets other calls come between.
 */
export async function wholeList(items: readonly Buffer[]): Promise<Buffer> {
  const bytes = listBytes(items);
  refuseLarge(bytes);
  const reply = Buffer.allocUnsafe(bytes);
  let at = 0;
  let turnEnds = TURN_BYTES;
  for (const item of items) {
    at = writeItem(reply, at, item);
    if (at < turnEnds) continue;
    await setImmediate();
    turnEnds = at + TURN_BYTES;
  }
  return reply;
}

/** A batch of a streamed list is closed when it has this many bytes; far below what any client refuses (4 MiB), and little to keep for one that never reads. */
const BATCH_BYTES = 256 << 10;

/** The replies of a streamed list: every encoded item once, in order, in batches of at least one item. */
export async function* streamedList(items: Iterable<Buffer>): AsyncGenerator<Buffer> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for (const item of items) {
    batch.push(item);
    bytes += item.length;
    if (bytes < BATCH_BYTES) continue;
    yield encodedList(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield encodedList(batch);
}
