import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of a certificate and its key, both PEM. */
export type Pair = { readonly cert: string; readonly key: string };

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate authority in `folder`. */
export function makeAuthority(folder: string, name: string): Pair {
  const pair = pairIn(folder, name);
  openssl('req', '-x509', ...curve, '-keyout', pair.key, '-out', pair.cert, '-subj', `/CN=${name}`, '-days', '2');
  return pair;
}

/** A certificate for this machine as server and client, signed by the authority. */
export function makeCertificate(folder: string, name: string, by: Pair): Pair {
  const pair = pairIn(folder, name);
  const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)];
  writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  openssl('req', ...curve, '-keyout', pair.key, '-out', request, '-subj', `/CN=${name}`);
  const signing = ['-CA', by.cert, '-CAkey', by.key, '-CAcreateserial', '-extfile', extensions, '-days', '2'];
  openssl('x509', '-req', '-in', request, '-out', pair.cert, ...signing);
  return pair;
}

function pairIn(folder: string, name: string): Pair {
  return { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
