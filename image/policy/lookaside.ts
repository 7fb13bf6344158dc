import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../../api/errors.ts';
import { orIfMissing } from '../../host/files.ts';
import { type Reference, repositoryOf } from '../manifest/reference.ts';
import type { Http } from '../registry/http.ts';
import { objectIn, textIn } from '../manifest/shape.ts';

const maxSignatureBytes = 1 << 20;
const maxSignatures = 32;
/** Where root's signatures are when nothing names another place. */
const usual = 'file:///var/lib/containers/sigstore';

/** Simple signatures of a manifest: `BASE/PATH@ALGORITHM=HEX/signature-N` (containers-registries.d(5)). */
export async function lookasideSignatures(
  { reference, digest }: { reference: Reference; digest: string },
  { http, directory, signal }: { http: Http; directory: string; signal: AbortSignal },
): Promise<Buffer[]> {
  const base = lookasideOf(reference, await configurations(directory));
  const found: Buffer[] = [];
  while (found.length < maxSignatures) {
    const url = `${base.replace(/\/+$/, '')}/${reference.path}@${digest.replace(':', '=')}/signature-${found.length + 1}`;
    const signature = await read(url, http, signal);
    if (signature === undefined) return found;
    found.push(signature);
  }
  return found;
}

/** The base for a reference: that of the closest scope, else of `default-docker`. */
export function lookasideOf(reference: Reference, files: readonly unknown[]): string {
  let best: { scope: string; base: string } | undefined;
  let fallback = usual;
  for (const file of files) {
    const root = objectIn(file ?? {}, 'registries.d');
    fallback = baseIn(root['default-docker']) || fallback;
    for (const [scope, value] of Object.entries(objectIn(root['docker'] ?? {}, 'docker'))) {
      const base = baseIn(value);
      if (base !== '' && isWithin(reference, scope) && scope.length > (best?.scope.length ?? -1)) best = { scope, base };
    }
  }
  return best?.base ?? fallback;
}

function baseIn(value: unknown): string {
  const item = objectIn(value ?? {}, 'registries.d');
  return textIn(item['lookaside'], 'lookaside') || textIn(item['sigstore'], 'sigstore');
}

function isWithin(reference: Reference, scope: string): boolean {
  const repository = repositoryOf(reference);
  return repository === scope || repository.startsWith(`${scope}/`) || `${repository}:${reference.tag}` === scope;
}

async function configurations(directory: string): Promise<unknown[]> {
  const names = await orIfMissing(readdir(directory), []);
  const files = names.filter((name) => name.endsWith('.yaml')).sort();
  if (files.length === 0) return [];
  const { parse } = (await import('yaml')).default;
  return Promise.all(files.map(async (name) => parse(await readFile(join(directory, name), 'utf8'), { logLevel: 'error' }) as unknown));
}

async function read(url: string, http: Http, signal: AbortSignal): Promise<Buffer | undefined> {
  if (url.startsWith('file:')) return orIfMissing(readFile(fileURLToPath(url)), undefined);
  if (!/^https?:/.test(url)) throw new RuntimeError('signature', `the lookaside ${url} is neither a file nor a web address`);
  const { status, body } = await http.send({ url, headers: {}, maxBytes: maxSignatureBytes, trust: { insecure: false, caPem: '', clientPem: '' }, signal });
  if (status === 404 || status === 403) return undefined;
  if (status !== 200) throw new RuntimeError('registry-unavailable', `${url} answered ${status}`);
  return body;
}
