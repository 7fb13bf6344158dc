import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import { openCertificate } from './certificate.ts';

/** A folder with certificates a and b and their keys, and the log of who reads them. */
function prepare(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), 'berth-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  for (const name of ['a', 'b']) {
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)];
    execFileSync('openssl', ['req', ...kind, ...files, '-subj', `/CN=${name}`, '-days', '2'], { stdio: 'pipe' });
  }
  const lines: string[] = [];
  const note = (level: string) => (message: string): void => void lines.push(`${level}: ${message}`);
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const put = (file: string, name: string): void => {
    copyFileSync(path(name), path(`${file}.new`));
    renameSync(path(`${file}.new`), path(file));
  };
  return { path, lines, log, put };
}

test('a new certificate counts once both its files are there; what is broken or half there leaves the old one', async (t) => {
  const { path, put, lines, log } = prepare(t);
  put('tls.crt', 'a.crt');
  put('tls.key', 'a.key');
  const certificate = await openCertificate({ cert: path('tls.crt'), key: path('tls.key'), clientCa: '' }, log);
  const first = certificate.context();
  t.false(await certificate.renew());
  put('tls.crt', 'b.crt');
  t.deepEqual(await Promise.all([certificate.renew(), certificate.renew()]), [false, false]);
  t.false(await certificate.renew());
  t.is(certificate.context(), first);
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /^error: the new certificate .* does not work/);
  put('tls.key', 'b.key');
  t.true(await certificate.renew());
  t.notDeepEqual(certificate.context().cert, first.cert);
  for (const broken of ['', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    writeFileSync(path('tls.crt'), broken);
    t.false(await certificate.renew());
  }
  rmSync(path('tls.crt'));
  t.false(await certificate.renew());
  symlinkSync(path('b.crt'), path('tls.crt'));
  t.true(await certificate.renew());
});

test('files that hold no working certificate are named', async (t) => {
  const { path, log, put } = prepare(t);
  writeFileSync(path('nonsense'), 'nonsense');
  put('a.pem', 'a.crt');
  const pairs = [
    { cert: path('missing'), key: path('a.key'), clientCa: '' },
    { cert: path('a.crt'), key: path('b.key'), clientCa: '' },
    { cert: path('a.crt'), key: path('a.key'), clientCa: path('nonsense') },
  ];
  for (const files of pairs) {
    const error = await t.throwsAsync(openCertificate(files, log));
    t.true(isKind(error, 'invalid'));
    t.true(error?.message.includes(`${files.cert}, ${files.key}`), error?.message);
  }
  await t.notThrowsAsync(openCertificate({ cert: path('a.crt'), key: path('a.key'), clientCa: path('a.pem') }, log));
});
