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
/** Whose pull it is; `helpers` are those of registries.conf, in whose order programs and the files of the node are asked. */
export type CredentialsAsk = {
  auth: AuthConfig | undefined;
  namespace: string;
  reference: string;
  helpers: readonly string[] | undefined;
};
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
  const ofNamespace = await readFiles(namespaceFiles(ask, options.namespaceAuthDir));
  const ofNode = await readFiles(options.authFiles);
  const helpers = ask.helpers ?? [filesOfNode];
  const places = helpers.flatMap((helper): (AuthFile | string)[] => (helper === filesOfNode ? ofNode.files : [helper]));
  return {
    key: hashOf([ofNamespace.text, ofNode.text, ...helpers].join('\n')),
    async of({ host, repository }) {
      for (const place of [...ofNamespace.files, ...places]) {
        const found = await inPlace(place, `${host}/${repository}`, options);
        if (found !== undefined) return found;
      }
      return { kind: 'anonymous' };
    },
  };
}

/** How registries.conf names the files among its `credential-helpers`. */
const filesOfNode = 'containers-auth.json';

async function readFiles(paths: readonly string[]): Promise<{ text: string; files: AuthFile[] }> {
  const texts = await Promise.all(paths.map(readCredentials));
  const files = texts.flatMap((text, i) => (text === '' ? [] : [parseAuthFile(text, paths[i] ?? '')]));
  return { text: texts.join('\n'), files };
}

/** `place`: a file, or the name of a program. */
async function inPlace(place: AuthFile | string, repository: string, { helper, log }: CredentialsOptions): Promise<Credential | undefined> {
  const auth = typeof place === 'string' ? undefined : closest(place.auths, repository);
  if (auth !== undefined) return credentialFor(auth, []);
  const program = typeof place === 'string' ? place : (closest(place.helpers, repository) ?? place.store);
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
