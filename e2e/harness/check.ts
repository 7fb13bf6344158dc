import { join } from 'node:path';
import type { Checked } from '../../api/problem.ts';
import { berth } from './cli.ts';
import type { Daemon } from './daemon.ts';
import { repository } from './paths.ts';
import { execute, type Result } from './run.ts';

/** How a check ended, and what it found. */
export type Outcome = { readonly code: number | null; readonly problems: Checked[] };

/** `berth check` of a daemon that runs. */
export async function checked(daemon: Daemon, ...args: readonly string[]): Promise<Outcome> {
  return outcomeOf(await berth(daemon, 'check', '--json', ...args));
}

/** `berth check --offline` of what a daemon left. */
export async function checkedOffline({ commandLine }: Daemon, ...args: readonly string[]): Promise<Outcome> {
  return outcomeOf(await execute(join(repository, 'bin/berth'), ['check', '--offline', '--json', ...args, '--', ...commandLine.slice(1)]));
}

/** What could not look says why. */
function outcomeOf({ stdout, stderr, code }: Result): Outcome {
  if (code === 2) throw new Error(stderr);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, problems: lines.map((line) => JSON.parse(line) as Checked) };
}
