import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../api/errors.ts';
import type { CgroupDirs } from '../api/engine.ts';
import type { Exit } from '../api/shim.ts';
import type { Engine } from '../host/engine.ts';
import { KILL_TIMEOUT_MS } from './context.ts';

/** How a process ended, as `Exit` has it. */
export type End = Pick<Exit, 'exitCode' | 'signal'>;

/** How long the engine tries at a time, and the pause between two tries, in milliseconds: what cannot be killed must not keep its hands from others. */
const TRY_MS = 250;
const PAUSE_MS = 750;

/**
 * Kills all in a cgroup and removes it. Throws `timeout`, naming the processes and their state, when the kernel cannot
 * end them in time; trying again later is fine. Says how the process `pid` in it ended, null when nobody knows.
 */
export async function endCgroup(engine: Engine, dirs: CgroupDirs, pid = 0): Promise<End | null> {
  for (const untilMs = performance.now() + KILL_TIMEOUT_MS; ; await sleep(PAUSE_MS)) {
    try {
      return (await engine.call('removeCgroup', { dirs, timeoutMs: TRY_MS, pid })).end;
    } catch (error) {
      if (!isKind(error, 'timeout') || performance.now() + PAUSE_MS > untilMs) throw error;
    }
  }
}
