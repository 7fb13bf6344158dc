import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Entry } from './tar.ts';

/** Debian's binaries that go into images, all from the packages named in the set-up script. */
export const binaries = {
  busybox: '/bin/busybox',
  nginx: '/usr/sbin/nginx',
  pgrep: '/usr/bin/pgrep',
  ipcs: '/usr/bin/ipcs',
} as const;

/** What decides the bytes of every image besides our sources: each binary's path, size and time. */
export function binariesStamp(): string {
  return Object.values(binaries)
    .map((path) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}`)
    .join('\n');
}

/** A file of this machine as an image member, executable, at `at` or at its own path. */
export function binary(path: string, at = path, mode = 0o755): Entry {
  return { path: at.slice(1), type: 'file', mode, content: readFileSync(path) };
}

/** A dynamically linked program with the loader and every library that `ldd` names. */
export function program(path: string): Entry[] {
  const listing = execFileSync('ldd', [path], { encoding: 'utf8' });
  const libraries = [...listing.matchAll(/(\/[^\s()]+)/g)].map(([name]) => name);
  return [binary(path), ...libraries.map((name) => binary(realpathSync(name), name))];
}

/** busybox and its applets, each a hard link with mode 0755: unpackers apply a hard link's own mode to the file. */
export function busybox(): Entry[] {
  const applets = execFileSync(binaries.busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  return [
    binary(binaries.busybox),
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name): Entry => ({ path: `bin/${name}`, type: 'hardlink', target: 'bin/busybox', mode: 0o755 })),
  ];
}

/** The entries with every missing parent directory put first and doubles dropped; the first of a path wins. */
export function withParents(entries: readonly Entry[]): Entry[] {
  const seen = new Map<string, Entry>();
  const add = (entry: Entry) => {
    const parent = dirname(entry.path);
    if (parent !== '.' && !seen.has(parent)) add({ path: parent, type: 'directory' });
    if (!seen.has(entry.path)) seen.set(entry.path, entry);
  };
  entries.forEach(add);
  return [...seen.values()];
}
