import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Sums of programs by file and time of change. */
const sums = new Map<string, Promise<string>>();

/**
 * Whether process `pid` executes the program at `path`, or a copy of it; a program that was removed or replaced since
 * is known all the same. Throws when the process is gone or the program cannot be read.
 */
export async function executes(pid: number, path: string): Promise<boolean> {
  const own = `/proc/${pid}/exe`;
  const [running, wanted] = await Promise.all([stat(own), stat(path)]);
  if (running.dev === wanted.dev && running.ino === wanted.ino) return true;
  if (running.size !== wanted.size) return false;
  const [left, right] = await Promise.all([sumOf(own, running), sumOf(path, wanted)]);
  return left === right;
}

function sumOf(path: string, { dev, ino, ctimeMs }: { dev: number; ino: number; ctimeMs: number }): Promise<string> {
  const key = `${dev}:${ino}:${ctimeMs}`;
  const known = sums.get(key);
  if (known) return known;
  const hash = createHash('sha256');
  const sum = pipeline(createReadStream(path), hash).then(() => hash.digest('hex'));
  sum.catch(() => sums.delete(key));
  sums.set(key, sum);
  return sum;
}
