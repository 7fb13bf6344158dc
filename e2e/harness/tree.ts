import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** One hash over all that a tree holds: names, types, modes, owners, devices, links and contents; times left out. */
export function hashOfTree(top: string): string {
  const hash = createHash('sha256');
  const visit = (path: string, name: string): void => {
    const { mode, uid, gid, rdev, size } = lstatSync(path);
    const kind = mode & 0o170000;
    const [isDirectory, isLink, isFile] = [kind === 0o040000, kind === 0o120000, kind === 0o100000];
    hash.update(JSON.stringify([name, mode, uid, gid, rdev, isFile ? size : 0, isLink ? readlinkSync(path) : '']));
    if (isFile) hash.update(readFileSync(path));
    if (isDirectory) for (const inner of readdirSync(path).sort()) visit(join(path, inner), `${name}/${inner}`);
  };
  visit(top, '');
  return hash.digest('hex');
}
