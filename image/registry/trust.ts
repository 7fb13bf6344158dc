import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where distributions keep the certificates of the authorities they trust, in one file. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** containers-certs.d(5) and Docker's folder of the same layout. */
const certsDirectories = ['/etc/containers/certs.d', '/etc/docker/certs.d'];

/** The system's authorities as PEM (`SSL_CERT_FILE` first); undefined where there are none, then Node's own hold. */
export function systemAuthorities(): string | undefined {
  for (const path of [process.env['SSL_CERT_FILE'] ?? '', ...systemBundles]) {
    try {
      if (path !== '') return readFileSync(path, 'utf8');
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

/** Authorities trusted for the registry `host[:port]` besides the system's: every `*.crt` in its folder, as PEM. */
export async function authoritiesOf(host: string): Promise<string> {
  const found = await Promise.all(certsDirectories.map((directory) => certificatesIn(join(directory, host))));
  return found.join('');
}

async function certificatesIn(directory: string): Promise<string> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => name.endsWith('.crt')).sort();
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.map((text) => (text.endsWith('\n') ? text : `${text}\n`)).join('');
}
