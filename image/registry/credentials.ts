import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { whileDoing } from '../../api/errors.ts';
import { readIfThere } from '../../host/files.ts';
import type { Log } from '../../api/observe.ts';
import { type AuthFile, closest, parseAuthFile } from './auth-file.ts';
import { type AuthConfig, type Credential, credentialFor } from './credential.ts';
import type { CredentialHelper } from './credential-program.ts';

/** Where credentials are looked for when a pull brings none. */
export type CredentialsOptions = {
  /** Files of the node, the first with an entry for the registry counts; missing ones are fine. */
  authFiles: readonly string[];
  /** Folder of files for one namespace, `NAMESPACE-SHA256(IMAGE).json` and `NAMESPACE.json`; they count before the node's. */
  namespaceAuthDir: string;
  helper: CredentialHelper;
  log: Log;
};
/** Whose pull it is. */
export type CredentialsAsk = { auth: AuthConfig | undefined; namespace: string; reference: string };
/** The credentials of one pull. */
export type Credentials = {
  /** Equal for pulls that would show registries the same. */
  key: string;
  /** For one endpoint, known by any of the `hosts`. */
  of(endpoint: { host: string; repository: string }, hosts: readonly string[]): Promise<Credential>;
};

/** Those that came with the pull, else what the files say now. Throws `corrupt` naming a file that is malformed. */
export async function credentialsFor(ask: CredentialsAsk, options: CredentialsOptions): Promise<Credentials> {
  const { auth } = ask;
  if (auth !== undefined && Object.values(auth).some((value) => value !== '')) {
    return { key: hashOf(JSON.stringify(auth)), of: async (_, hosts) => credentialFor(auth, hosts) };
  }
  const paths = [...namespaceFiles(ask, options.namespaceAuthDir), ...options.authFiles];
  const texts = await Promise.all(paths.map(readCredentials));
  const files = texts.flatMap((text, i) => (text === '' ? [] : [parseAuthFile(text, paths[i] ?? '')]));
  return {
    key: hashOf(texts.join('\n')),
    async of({ host, repository }) {
      for (const file of files) {
        const found = await inFile(file, `${host}/${repository}`, options);
        if (found !== undefined) return found;
      }
      return { kind: 'anonymous' };
    },
  };
}

async function inFile(file: AuthFile, repository: string, { helper, log }: CredentialsOptions): Promise<Credential | undefined> {
  const auth = closest(file.auths, repository);
  if (auth !== undefined) return credentialFor(auth, []);
  const program = closest(file.helpers, repository) ?? file.store;
  const [registry = ''] = repository.replace(/^(?:index|registry-1)\.docker\.io\//, 'docker.io/').split('/', 1);
  if (program === '') return undefined;
  try {
    return await helper(program, registry);
  } catch (error) {
    // Most images need no credentials: what was left over of another tool may not keep them from being pulled.
    log.warn('pulling without the credentials that a helper should have given', { registry, error: String(error) });
    return undefined;
  }
}

/** None for what is no namespace: it would name a file elsewhere. */
function namespaceFiles({ namespace, reference }: CredentialsAsk, directory: string): string[] {
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace)) return [];
  return [`${namespace}-${hashOf(reference)}.json`, `${namespace}.json`].map((name) => join(directory, name));
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readCredentials(path: string): Promise<string> {
  try {
    return await readIfThere(path);
  } catch (error) {
    throw whileDoing(`cannot read credentials of ${path}`, error);
  }
}
