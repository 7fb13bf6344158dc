import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';

/** Real profiles have some ten thousand. */
const PROFILE_MAX_BYTES = 1 << 20;

/**
 * The text of a Localhost seccomp profile. The engine reads it: a file system that hangs must not hold up this process.
 * Throws `invalid` for a path that is not absolute or cannot be read.
 */
export async function seccompProfile(engine: Engine, path: string): Promise<string> {
  if (!path.startsWith('/')) throw new RuntimeError('invalid', `seccomp profile ${path} is not an absolute path`);
  const { texts: [read] } = await engine.call('readTexts', { paths: [path], maxBytes: PROFILE_MAX_BYTES });
  if (read === undefined || read.error !== '') throw new RuntimeError('invalid', `seccomp profile ${path} cannot be read: ${read?.error}`);
  return read.text;
}
