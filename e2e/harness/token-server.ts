import { execFileSync } from 'node:child_process';
import { createSign, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { credentials } from './registry.ts';

const issuer = 'berth-e2e';
const service = 'berth-registry';

export type TokenServer = {
  /** The `auth` section that makes docker-registry send its clients here. */
  readonly registryAuth: object;
  readonly close: () => void;
};

/** A token server as the registry's token authentication wants it: Basic credentials or a refresh token in, a signed pull token out. */
export async function startTokenServer(directory: string): Promise<TokenServer> {
  const keyPath = join(directory, 'token.key');
  const certificatePath = join(directory, 'token.crt');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${issuer}`,
      '-days',
      '2',
      '-keyout',
      keyPath,
      '-out',
      certificatePath,
    ],
    { stdio: 'ignore' },
  );
  const key = readFileSync(keyPath, 'utf8');
  const certificate = new X509Certificate(readFileSync(certificatePath)).raw.toString('base64');
  const expected = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { searchParams: query } = new URL(request.url ?? '/', 'http://localhost');
      const form = new URLSearchParams(body);
      const refreshed = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === credentials.identityToken;
      if (request.method === 'POST' ? !refreshed : request.headers.authorization !== expected) {
        response.writeHead(401).end();
        return;
      }
      const scopes = (request.method === 'POST' ? form : query).getAll('scope');
      const token = sign(scopes, key, certificate);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ [request.method === 'POST' ? 'access_token' : 'token']: token, expires_in: 300 }));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const registryAuth = {
    token: { realm: `http://127.0.0.1:${port}/token`, service, issuer, rootcertbundle: certificatePath },
  };
  return {
    registryAuth,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A JSON web token of the distribution project's token specification. */
function sign(scopes: readonly string[], key: string, certificate: string): string {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes
    .flatMap((scope) => scope.split(' '))
    .map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',').filter((action) => action === 'pull') };
    });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ typ: 'JWT', alg: 'RS256', x5c: [certificate] })}.${part({
    iss: issuer,
    sub: credentials.username,
    aud: service,
    jti: randomUUID(),
    iat: now,
    nbf: now - 10,
    exp: now + 300,
    access,
  })}`;
  return `${body}.${createSign('RSA-SHA256').update(body).sign(key, 'base64url')}`;
}
