import { spawnSync } from 'node:child_process';
import { textOf, entriesIn } from '../harness/files.ts';

const ticksPerSecond = 100;

/** Processor seconds of a process, of those it started, and of those of them that have ended. */
export function cpuSeconds(pid: number): number {
  const own = statOf(pid).slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  return childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), own);
}

/** Proportional set size of a process and of those it started, MiB. */
export function memoryMiB(pid: number): number {
  const own = Number(/^Pss:\s+(\d+)/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;
  return childrenOf(pid).reduce((sum, child) => sum + memoryMiB(child), own);
}

/** The highest of `read` until the returned function is called, which tells it. */
export function peak(read: () => number, everyMs = 100): () => number {
  let highest = read();
  const timer = setInterval(() => (highest = Math.max(highest, read())), everyMs);
  return () => {
    clearInterval(timer);
    return highest;
  };
}

/**
 * Has every free page of memory written to once. What a virtual machine was not given yet its host brings page by page,
 * at the cost of whoever writes there first.
 */
export function touchFreeMemory(): void {
  const freeKiB = Number(/^MemFree:\s+(\d+)/m.exec(textOf('/proc/meminfo'))?.[1] ?? 0);
  // tail keeps what may still turn out to be the last line.
  spawnSync('bash', ['-c', `head -c ${Math.floor(freeKiB * 0.9)}K /dev/zero | tail -n 1 >/dev/null`]);
}

function childrenOf(pid: number): number[] {
  const threads = entriesIn(`/proc/${pid}/task`).map(({ name }) => textOf(`/proc/${pid}/task/${name}/children`));
  return threads.flatMap((line) => line.split(' ')).filter((word) => word !== '').map(Number);
}

/** The fields of /proc/PID/stat behind the name (proc_pid_stat(5)). */
function statOf(pid: number): string[] {
  return textOf(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ');
}
