import { textIn, objectIn, parseObject, textMapIn } from '../manifest/shape.ts';
import type { AuthConfig } from './credential.ts';

/** containers-auth.json(5), which is also the format of Docker's config.json. */
export type AuthFile = {
  /** Credentials by `host[:port][/repository]`, the names in canonical form. */
  auths: ReadonlyMap<string, AuthConfig>;
  /** Programs `docker-credential-NAME` by registry, and the one for all others; empty for none. */
  helpers: ReadonlyMap<string, string>;
  store: string;
};

/** Reads one file; `path` names it in errors, which tell nothing of its content. */
export function parseAuthFile(json: string, path: string): AuthFile {
  const root = parseObject(json, path);
  const auths = Object.entries(objectIn(root['auths'] ?? {}, `auths of ${path}`)).map(([name, value]) => {
    const entry = objectIn(value ?? {}, `an entry of auths of ${path}`);
    const text = (field: string): string => textIn(entry[field], `${field} of an entry of ${path}`);
    const auth: AuthConfig = {
      username: text('username'),
      password: text('password'),
      auth: text('auth'),
      identityToken: text('identitytoken'),
      registryToken: text('registrytoken'),
    };
    return [canonicalName(name), auth] as const;
  });
  const helpers = Object.entries(textMapIn(root['credHelpers'], `credHelpers of ${path}`));
  return {
    auths: new Map(auths.filter(([, auth]) => Object.values(auth).some((value) => value !== ''))),
    helpers: new Map(helpers.map(([name, program]) => [canonicalName(name), program])),
    store: textIn(root['credsStore'], `credsStore of ${path}`),
  };
}

/** The entry for the longest name that `repository` (`host[:port]/path`) is or lies below; undefined for none. */
export function closest<T>(entries: ReadonlyMap<string, T>, repository: string): T | undefined {
  for (let name = canonicalName(repository); name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('/')))) {
    const found = entries.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Docker writes `https://index.docker.io/v1/`, others write URLs; what counts is host, port and path. */
function canonicalName(name: string): string {
  const bare = name.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '');
  const [, host = '', path = ''] = /^([^/]*)(.*)$/.exec(bare) ?? [];
  const domain = /^(?:index|registry-1)\.docker\.io$/.test(host) ? 'docker.io' : host.toLowerCase();
  return domain + (/^\/v[12]$/.test(path) ? '' : path);
}
