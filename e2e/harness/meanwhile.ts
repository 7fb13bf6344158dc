import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Daemon } from './daemon.ts';

/** What others waited for their answers while something else went on, in milliseconds. */
export type Waited = { calls: number; medianMs: number; longestMs: number };

/**
 * Does `work` while another client, in a thread and on a connection of its own, makes one small call after the other; what
 * `work` costs this process is not part of its waits. Throws when one of those calls fails.
 */
export async function meanwhile<T>({ socket }: Daemon, work: () => Promise<T>): Promise<{ result: T; ms: number; others: Waited }> {
  const worker = new Worker(new URL('meanwhile-worker.ts', import.meta.url), { workerData: socket });
  try {
    await once(worker, 'message');
    const fromMs = performance.now();
    const result = await work();
    const ms = performance.now() - fromMs;
    const told = once(worker, 'message');
    worker.postMessage('end');
    const [waits] = (await told) as [number[]];
    waits.sort((one, other) => one - other);
    return { result, ms, others: { calls: waits.length, medianMs: waits[waits.length >> 1] ?? 0, longestMs: waits.at(-1) ?? 0 } };
  } finally {
    await worker.terminate();
  }
}
