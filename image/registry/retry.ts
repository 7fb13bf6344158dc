import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeError, type ErrorKind } from '../../api/errors.ts';

const passing: ReadonlySet<ErrorKind> = new Set<ErrorKind>(['registry-unavailable', 'unavailable']);
const pausesMs = [200, 600, 1800];

/** Does `work` again, with growing pauses, while it fails with what may pass by itself; the last failure is thrown. */
export async function retrying<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (const pauseMs of pausesMs) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RuntimeError) || !passing.has(error.kind) || signal.aborted) throw error;
    }
    await sleep(pauseMs, undefined, { signal });
  }
  return work();
}
