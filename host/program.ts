import { accessSync, constants } from 'node:fs';

/** The folders of programs, as PATH has them: this process' own, or the usual ones where it was given none. */
export function searchPath(): string {
  return process.env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
}

/** The absolute path of a program that can be executed, looked for in `searchPath` and then in `more`; undefined for none. */
export function programPath(name: string, more: readonly string[] = []): string | undefined {
  const folders = [...searchPath().split(':'), ...more];
  return folders.map((folder) => `${folder}/${name}`).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
