import { readdirSync, readFileSync, readlinkSync, type Dirent } from 'node:fs';
import { join } from 'node:path';

/** A file's text; empty when it cannot be read, because what lies in /proc may be gone any moment. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What a symbolic link says; empty when it cannot be read. */
export function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/**
 * The names in a directory; none when it cannot be read. In /proc only this will do: an entry that goes while it is
 * listed, such as a descriptor that is closed, has no type, and Node then fails for all of them.
 */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** The entries of a directory; none when it cannot be read. */
export function entriesIn(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

/**
 * Everything below a directory, parents first. Links are not followed (an image's may lead out of it), and
 * directories for which `enter` is false are listed but not entered.
 */
export function below(
  path: string,
  enter: (path: string) => boolean = () => true,
): { path: string; isDirectory: boolean }[] {
  return entriesIn(path).flatMap((entry) => {
    const here = { path: join(path, entry.name), isDirectory: entry.isDirectory() };
    return here.isDirectory && enter(here.path) ? [here, ...below(here.path, enter)] : [here];
  });
}
