import { encodedList } from '../api/cri.ts';

/** A batch of a streamed list is closed when it has this many bytes; far below what any client refuses (16 MiB). */
const BATCH_BYTES = 1 << 20;

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
