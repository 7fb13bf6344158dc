import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync } from 'node:fs';

/** A folder in which nothing that is looked up ever answers, until `end`; then all of it fails and the folder is gone. */
export type HangingFolder = { readonly path: string; readonly end: () => Promise<void> };

/**
 * Mounts a FUSE file system that nobody serves on a new directory: the way of a network volume whose server is gone.
 * It also ends with this process.
 */
export async function hangingFolder(path: string): Promise<HangingFolder> {
  mkdirSync(path);
  const mount = 'mount -i -t fuse -o fd=5,rootmode=40000,user_id=0,group_id=0 berth-e2e "$0"';
  const holder = spawn('sh', ['-c', `exec 5<>/dev/fuse && ${mount} && echo mounted && read line`, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(holder, 'exit');
  const mounted = await Promise.race([once(holder.stdout, 'data'), exited.then(() => null)]);
  if (mounted === null) throw new Error(`no FUSE file system could be mounted on ${path}`);
  return {
    path,
    end: async () => {
      holder.stdin.end();
      await exited;
      spawnSync('umount', ['-l', path]);
      rmdirSync(path);
    },
  };
}
