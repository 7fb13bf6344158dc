import { isAbsolute } from 'node:path';
import type { PodSandboxConfig } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/**
 * Throws `invalid` for texts of a pod that would become something else where they are written: lines of /etc/hosts and
 * resolv.conf, a hostname, a path that leads elsewhere than it says.
 */
export function refuseUnsafeText({ hostname, dns_config: dns, log_directory: logs }: PodSandboxConfig): void {
  if (!/^[A-Za-z0-9._-]{0,64}$/.test(hostname)) throw refusal('hostname', hostname, 'takes at most 64 letters, digits, dots and hyphens');
  for (const word of [...(dns?.servers ?? []), ...(dns?.searches ?? []), ...(dns?.options ?? [])]) {
    if (!/^[\x21-\x7e]*$/.test(word)) throw refusal('dns_config', word, 'takes words without blanks and control characters');
  }
  if (logs !== '' && (!isAbsolute(logs) || logs.split('/').includes('..') || hasControl(logs))) {
    throw refusal('log_directory', logs, 'takes an absolute path without .. and control characters');
  }
}

/** True for a text with a character that ends or spoils a line. */
export function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function refusal(field: string, value: string, rule: string): RuntimeError {
  return new RuntimeError('invalid', `${field} ${JSON.stringify(value)}: it ${rule}`);
}
