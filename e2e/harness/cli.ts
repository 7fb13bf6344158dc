import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { repository } from './paths.ts';
import { execute, type Result } from './run.ts';

/** Runs our command-line client against the daemon. */
export function berth(daemon: Daemon, ...args: readonly string[]): Promise<Result> {
  return execute(join(repository, 'bin/berth'), ['--socket', daemon.socket, ...args]);
}

/** The client's output without the last newline; throws with its error text when it fails. */
export async function mustBerth(daemon: Daemon, ...args: readonly string[]): Promise<string> {
  const result = await berth(daemon, ...args);
  if (result.code !== 0) throw new Error(`berth ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result.stdout.trimEnd();
}
