import { execFileSync, spawn } from 'node:child_process';

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });

/** Makes an ext4 file system of `size` (as truncate(1) takes it) in the new file `disk` and mounts it at `target`; `inodes`: how many it has. */
export function mountDisk(disk: string, target: string, { size, inodes, options = [] }: { size: string; inodes?: number; options?: readonly string[] }): void {
  run('truncate', '-s', size, disk);
  run('mkfs.ext4', '-q', '-F', ...(inodes === undefined ? [] : ['-N', `${inodes}`]), disk);
  run('mount', '-o', ['loop', ...options].join(','), disk, target);
}

/** When a file system is thawed whatever happens, s; a call that met the disk has failed by then. */
const guardSeconds = 240;

/** Freezes a file system until `work` is done, so that no call of it ends that waits for the disk; also thaws it when this process dies. */
export async function whileFrozen(path: string, work: () => Promise<void>): Promise<void> {
  const guard = spawn('sh', ['-c', `sleep ${guardSeconds}; fsfreeze -u ${path}`], { stdio: 'ignore', detached: true });
  run('fsfreeze', '-f', path);
  try {
    await work();
  } finally {
    run('fsfreeze', '-u', path);
    if (guard.pid !== undefined) process.kill(-guard.pid, 'SIGKILL');
  }
}
