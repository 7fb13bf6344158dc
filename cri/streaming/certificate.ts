import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import { RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import { wallClockMs } from '../../host/clock.ts';

/** PEM files of the streaming server; without `clientCa` any client is let in. */
export type CertificateFiles = { cert: string; key: string; clientCa: string };

/** What the server shows, and whom it trusts, as the files said when they were last whole. */
export type Certificate = {
  context(): SecureContextOptions;
  /** Looks at the files; true when they hold something new that works. What does not is logged once and left. */
  renew(): Promise<boolean>;
};

/** Reads the files. Throws `invalid`, naming them, when there is no working certificate in them. */
export async function openCertificate(files: CertificateFiles, log: Log): Promise<Certificate> {
  let stamp = await stampOf(files);
  let current = await read(files);
  tellIfExpired(current);
  const renew = async (): Promise<boolean> => {
    const found = await stampOf(files);
    if (found === stamp) return false;
    stamp = found;
    try {
      current = await read(files);
      log.info('the streaming server has a new certificate', { cert: files.cert });
      tellIfExpired(current);
      return true;
    } catch (error) {
      log.error('the new certificate of the streaming server does not work, the old one stays', { error: (error as Error).message });
      return false;
    }
  };
  function tellIfExpired({ cert }: SecureContextOptions): void {
    const { validTo } = new X509Certificate(cert as Buffer);
    if (Date.parse(validTo) < wallClockMs()) log.warn('the certificate of the streaming server has expired', { cert: files.cert, validTo });
  }

  let renewing: Promise<boolean> | undefined;
  return {
    context: () => current,
    renew: () => {
      renewing ??= renew().finally(() => {
        renewing = undefined;
      });
      return renewing;
    },
  };
}

/** Changes whenever a file does, also by a link that points elsewhere. */
async function stampOf({ cert, key, clientCa }: CertificateFiles): Promise<string> {
  const stamps = [cert, key, clientCa].map(async (file) => {
    if (file === '') return '';
    const found = await stat(file).catch(() => undefined);
    return found ? [found.dev, found.ino, found.size, found.mtimeMs].join(' ') : 'missing';
  });
  return (await Promise.all(stamps)).join('; ');
}

async function read({ cert, key, clientCa }: CertificateFiles): Promise<SecureContextOptions> {
  try {
    const [shown, secret, trusted] = await Promise.all([
      readFile(cert),
      readFile(key),
      clientCa === '' ? undefined : readFile(clientCa),
    ]);
    const context = { cert: shown, key: secret, ...(trusted ? { ca: trusted } : {}), minVersion: 'TLSv1.2' } as const;
    await check(context);
    return context;
  } catch (error) {
    const names = [cert, key, clientCa].filter((name) => name !== '').join(', ');
    throw new RuntimeError('invalid', `cannot serve streams with the certificate in ${names}: ${(error as Error).message}`, error);
  }
}

/** Throws when certificate and key do not belong together, or authorities are no certificates. */
async function check(context: SecureContextOptions): Promise<void> {
  const { createSecureContext } = await import('node:tls');
  createSecureContext(context);
  if (context.ca) new X509Certificate(context.ca as Buffer);
}
