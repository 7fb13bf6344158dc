import { execFileSync } from 'node:child_process';

/** Makes an ext4 file system of `size` (as truncate(1) takes it) in the new file `disk` and mounts it at `target`. */
export function mountDisk(disk: string, target: string, { size, options = [] }: { size: string; options?: readonly string[] }): void {
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  run('truncate', '-s', size, disk);
  run('mkfs.ext4', '-q', '-F', disk);
  run('mount', '-o', ['loop', ...options].join(','), disk, target);
}
