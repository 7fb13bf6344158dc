import type { KeyValue } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/** Where programs are looked for when neither the image nor the pod says. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * A container's environment, each name once: the defaults, over them the image's, over those the pod's.
 * Throws `invalid` for a name or value that cannot be handed to the OCI runtime as text.
 */
export function environment(of: { hostname: string; tty: boolean; image: string[]; asked: KeyValue[] }): string[] {
  const defaults = [DEFAULT_PATH, `HOSTNAME=${of.hostname}`, ...(of.tty ? ['TERM=xterm'] : [])];
  const byName = new Map<string, string>();
  for (const entry of [...defaults, ...of.image.filter((entry) => entry.includes('=')), ...of.asked.map(assignment)]) {
    byName.set(entry.slice(0, entry.indexOf('=')), entry);
  }
  return [...byName.values()];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function assignment({ key, value }: KeyValue): string {
  if (key === '' || key.includes('=') || key.includes('\0')) {
    throw new RuntimeError('invalid', `environment variable name ${JSON.stringify(key)} is not usable`);
  }
  const text = decode(key, value);
  if (text.includes('\0')) throw new RuntimeError('invalid', `environment variable ${key} has a NUL byte in its value`);
  return `${key}=${text}`;
}

function decode(key: string, value: Buffer): string {
  try {
    return utf8.decode(value);
  } catch (error) {
    throw new RuntimeError(
      'invalid',
      `environment variable ${key} is not UTF-8, which an OCI configuration cannot carry`,
      error,
    );
  }
}
