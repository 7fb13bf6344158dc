import { RuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../context.ts';

/** Longest that the file system of the logs may take, in milliseconds. */
const LIMIT_MS = 20_000;

/**
 * Makes the directory of a pod's logs, if it names one. By the engine: a log disk that hangs must not hold up this process.
 * Whoever asks for it again meanwhile waits for the same answer, so that retries do not use up the engine's threads.
 * Throws `invalid` where it cannot be made, `timeout` where nothing answers.
 */
export async function makeLogDirectory({ engine, operations }: PodContext, path: string): Promise<void> {
  if (path === '') return;
  const make = async (): Promise<string> => {
    const { found: [made] } = await engine.call('findSources', { sources: [{ path, make: true }] });
    return made?.error ?? '';
  };
  const limit = AbortSignal.timeout(LIMIT_MS);
  const error = await operations.join(`log_directory ${path}`, '', limit, make).catch((thrown: unknown) => {
    if (!limit.aborted) throw thrown;
    throw new RuntimeError('timeout', `log_directory ${path} is not there after ${LIMIT_MS / 1000} s: its file system does not answer, see to that`);
  });
  if (error !== '') throw new RuntimeError('invalid', `log_directory ${path} cannot be used: ${error}`);
}
