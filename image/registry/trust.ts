import { readFileSync } from 'node:fs';

/** Whom a connection believes, and as whom it is known. */
export type Trust = {
  /** Certificates are not verified, and a redirect may leave HTTPS. */
  insecure: boolean;
  /** PEM certificates of authorities believed besides the system's; may be empty. */
  caPem: string;
  /** PEM certificate chain and private key to show; may be empty. Secret. */
  clientPem: string;
};

/** Where distributions keep the certificates of the authorities they trust, in one file. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

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
