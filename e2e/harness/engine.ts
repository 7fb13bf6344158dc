import { readdirSync } from 'node:fs';
import type { Daemon } from './daemon.ts';
import { textOf } from './files.ts';
import { until } from './process.ts';

/** The pids of a process' children with that name, e.g. `berth-engine`. */
export function childrenOf(pid: number, name: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => candidate > 0)
    .filter((candidate) => {
      const status = textOf(`/proc/${candidate}/status`);
      return status.startsWith(`Name:\t${name}\n`) && status.includes(`\nPPid:\t${pid}\n`);
    });
}

/** Kills the daemon's engine with SIGKILL and waits until another one runs. */
export async function killEngine(daemon: Daemon): Promise<void> {
  const before = childrenOf(daemon.pid(), 'berth-engine');
  if (before.length === 0) throw new Error(`berthd ${daemon.pid()} has no child named berth-engine`);
  for (const pid of before) process.kill(pid, 'SIGKILL');
  const renewed = () => childrenOf(daemon.pid(), 'berth-engine').some((pid) => !before.includes(pid));
  await until(renewed, 60_000, 'a new engine');
}
