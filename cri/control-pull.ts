import { setTimeout as sleep } from 'node:timers/promises';
import type { PullReply } from '../api/control.ts';
import type { Draft } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import type { Images } from '../image/records/record.ts';

/** How often a client is told how far its pull is, and how soon after the manifest for the first time, in milliseconds. */
const everyMs = 100;
const firstMs = 10;

/** Pulls the image; tells how far that is until it is here. */
export async function* pullWithProgress(images: Images, reference: string, signal: AbortSignal): AsyncGenerator<Draft<PullReply>> {
  if (reference === '') throw new RuntimeError('invalid', 'Pull without an image: name it by tag or digest');
  const pull = images.pull({ reference, signal });
  const ended = pull.then(() => true, () => true);
  let waitMs = firstMs;
  while (!(await Promise.race([ended, sleep(waitMs, false)]))) {
    const [state] = images.pulling(reference);
    if (state === undefined) continue;
    waitMs = everyMs;
    yield { layers: state.layers.map(({ digest, bytes, totalBytes }) => ({ digest, bytes: `${bytes}`, total_bytes: `${totalBytes}` })) };
  }
  yield { image_id: (await pull).id };
}
