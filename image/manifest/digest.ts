import { createHash } from 'node:crypto';

/** The digest of those bytes by that algorithm, `sha256:…`. */
export function digestOf(bytes: Buffer | string, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
