import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Daemon } from './daemon.ts';

/** Mounts a tmpfs (or what `type` says) on a new directory for the time of the test; `propagation` as mount(8) names it. */
export function tmpfs(
  t: ExecutionContext,
  at: Daemon | string,
  name: string,
  propagation: 'private' | 'shared' = 'private',
  type: 'tmpfs' | 'hugetlbfs' = 'tmpfs',
): string {
  const path = join(typeof at === 'string' ? at : at.directory, name);
  mkdirSync(path, { recursive: true });
  mount(['-t', type, 'berth-e2e', path]);
  t.teardown(() => {
    spawnSync('umount', ['-R', '-l', path]);
  });
  mount([`--make-${propagation}`, path]);
  return path;
}

function mount(args: readonly string[]): void {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount ${args.join(' ')} failed: ${stderr}`);
}
