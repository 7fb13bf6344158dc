import { RuntimeError } from '../../api/errors.ts';

/** Credentials as CRI hands them over (`AuthConfig`); empty and absent mean the same. Every field may be secret. */
export type AuthConfig = {
  username?: string;
  password?: string;
  /** base64 of `username:password`. */
  auth?: string;
  /** Registry that the rest is meant for; others do not get it. */
  serverAddress?: string;
  /** OAuth2 refresh token, exchanged for an access token. */
  identityToken?: string;
  /** Bearer token to send as it is. */
  registryToken?: string;
};

/** What a registry is shown. */
export type Credential =
  | { kind: 'anonymous' }
  | { kind: 'basic'; username: string; password: string }
  | { kind: 'identity'; token: string }
  | { kind: 'bearer'; token: string };

/** The credential of `auth` for a registry known by any of `hosts`. Throws `invalid` for a malformed `auth`. */
export function credentialFor(auth: AuthConfig | undefined, hosts: readonly string[]): Credential {
  if (auth === undefined || !isMeantFor(auth.serverAddress ?? '', hosts)) return { kind: 'anonymous' };
  if (auth.username) return { kind: 'basic', username: auth.username, password: auth.password ?? '' };
  if (auth.identityToken) return { kind: 'identity', token: auth.identityToken };
  if (auth.registryToken) return { kind: 'bearer', token: auth.registryToken };
  if (auth.auth) return decodeAuth(auth.auth);
  return { kind: 'anonymous' };
}

/** The value of an Authorization header for user name and password (RFC 7617). */
export function basicHeader(credential: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
}

function isMeantFor(serverAddress: string, hosts: readonly string[]): boolean {
  if (serverAddress === '') return true;
  const [host = ''] = serverAddress.replace(/^[a-z]+:\/\//, '').split('/', 1);
  return hosts.some((candidate) => canonical(candidate) === canonical(host));
}

function canonical(host: string): string {
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host.toLowerCase();
}

function decodeAuth(auth: string): Credential {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (colon === -1)
    throw new RuntimeError('invalid', 'the field auth of the credentials is no base64 of user:password');
  return { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) };
}
