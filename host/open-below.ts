import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Opens the file `below`, a relative path, in `folder` for reading and follows no link in it: whoever writes in the folder
 * cannot lead elsewhere. Links on the way to the folder itself are followed. Rejects with what open(2) says, ELOOP or
 * ENOTDIR for a link, EINVAL for a path that leads out.
 */
export async function openBelow(folder: string, below: string): Promise<FileHandle> {
  const parts = below.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..')) throw Object.assign(new Error(`${below} is no path below ${folder}`), { code: 'EINVAL' });
  let at = await open(folder, O_RDONLY | O_DIRECTORY);
  for (const [index, part] of parts.entries()) {
    const kind = index === parts.length - 1 ? O_NONBLOCK : O_DIRECTORY;
    const next = open(`/proc/self/fd/${at.fd}/${part}`, O_RDONLY | O_NOFOLLOW | kind);
    at = await next.finally(at.close.bind(at));
  }
  return at;
}
