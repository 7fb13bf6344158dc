import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from './process.ts';

/** A disk in memory that keeps what was flushed and loses all else when the power fails. */
export type VolatileDisk = {
  /** The power fails now: what is there then is noted. With a seed not all that was not flushed is lost. */
  cut(seed?: number): void;
  /** Runs `look` on the file system as it was at the last cut. */
  look<T>(look: (root: string) => T): T;
  /** Mounts that file system at the root instead. */
  restore(): void;
  /** From now on it says that it has flushed, and has not. */
  turnDeaf(): void;
};

/** Makes a disk below `directory` with a file system mounted at `root`; both go when what is mounted there is unmounted. */
export function mountVolatileDisk({ directory, root }: { directory: string; root: string }, sizeBytes: number): VolatileDisk {
  const folder = join(directory, 'volatile');
  mkdirSync(folder);
  const server = join(import.meta.dirname, 'volatile-disk-server.ts');
  const { logPath, ended } = start(process.execPath, [server, folder, String(sizeBytes)], join(directory, 'volatile.log'));
  const file = join(folder, 'disk');
  for (let tries = 0; !existsSync(file); tries++) {
    if (ended() !== undefined || tries === 600) throw new Error(`no disk is served, see ${logPath}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
  run('mkfs.ext4', '-q', '-F', '-E', 'nodiscard', file);
  // Nothing reaches the disk by itself for minutes, only what somebody makes durable.
  const mount = (): void => run('mount', '-o', 'loop,commit=300', file, root);
  mount();
  const order = (text: string): void => writeFileSync(join(folder, 'control'), text, { flag: 'r+' });
  return {
    cut: (seed) => order(seed === undefined ? 'cut' : `cut ${seed}`),
    look: (look) => inFolder((elsewhere) => {
      order(`write ${join(elsewhere, 'disk')}`);
      return mounted(join(elsewhere, 'disk'), join(elsewhere, 'root'), look);
    }),
    restore() {
      run('umount', root);
      order('restore');
      mount();
    },
    turnDeaf: () => order('deaf'),
  };
}

/** Runs `look` on the file system in `disk`, mounted on the new folder `root`. */
function mounted<T>(disk: string, root: string, look: (root: string) => T): T {
  mkdirSync(root);
  run('mount', '-o', 'loop', disk, root);
  try {
    return look(root);
  } finally {
    run('umount', root);
  }
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'berth-power-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
