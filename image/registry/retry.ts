import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeError, type ErrorKind } from '../../api/errors.ts';

const passing: ReadonlySet<ErrorKind> = new Set<ErrorKind>(['registry-unavailable', 'unavailable']);
const pausesMs = [200, 600, 1800];
/** A pause that a registry asks for is kept up to this; one that wants more has to be asked by a later pull. */
const longestPauseMs = 60_000;

/** A registry that wants to be left alone for a while (429 and 503 with `Retry-After`). */
export class RegistryBusy extends RuntimeError {
  readonly pauseMs: number;

  constructor(message: string, pauseMs: number, cause?: unknown) {
    super('registry-unavailable', message, cause);
    this.pauseMs = pauseMs;
  }
}

/** Does `work` again, with growing pauses, while it fails with what may pass by itself; the last failure is thrown. */
export async function retrying<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (const pauseMs of pausesMs) {
    let asked = 0;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RuntimeError) || !passing.has(error.kind) || signal.aborted) throw error;
      if (error instanceof RegistryBusy) asked = error.pauseMs;
      if (asked > longestPauseMs) throw error;
    }
    await sleep(Math.max(pauseMs, asked), undefined, { signal });
  }
  return work();
}

/** The pause that a `Retry-After` header asks for (RFC 9110 §10.2.3: seconds or a date), in milliseconds; 0 for none. */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const thenMs = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(thenMs) ? 0 : Math.max(0, thenMs - nowMs);
}
