import { createHash } from 'node:crypto';
import { RuntimeError } from '../../api/errors.ts';
import { parseObject, textIn } from '../manifest/shape.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { basicHeader, type Credential } from './credential.ts';
import type { Http, HttpAnswer } from './http.ts';
import type { Trust } from './trust.ts';

/** Authorization headers by what they were given for, until they expire. */
export type TokenCache = Map<string, { header: string; untilMs: number }>;

/** Who asks for what, where. */
export type AuthorizeOptions = {
  http: Http;
  tokens: TokenCache;
  credential: Credential;
  host: string;
  repository: string;
  trust: Trust;
};

/** Finds the Authorization header for one repository. */
export type Authorizer = {
  /** The header that worked last and still holds; undefined before the first challenge. */
  current(): string | undefined;
  /** A header that answers the WWW-Authenticate header of `url`; undefined when there is nothing to answer with. */
  answer(url: string, challenge: string, signal: AbortSignal): Promise<string | undefined>;
};

const maxTokenBytes = 1 << 20;
/** The distribution token spec's default, and how much earlier a token is renewed. */
const defaultLifeSeconds = 60;
const renewEarlierMs = 10_000;

/** Basic and bearer authentication of registries (distribution spec: token and OAuth2 authentication). */
export function createAuthorizer(options: AuthorizeOptions): Authorizer {
  const { tokens, credential, host, repository } = options;
  const key = createHash('sha256')
    .update(JSON.stringify([host, repository, credential]))
    .digest('base64');
  const keep = (header: string, lifeMs: number): string => {
    const now = performance.now();
    for (const [other, { untilMs }] of tokens) if (untilMs <= now) tokens.delete(other);
    tokens.set(key, { header, untilMs: now + lifeMs });
    return header;
  };
  return {
    current() {
      const kept = tokens.get(key);
      return kept !== undefined && kept.untilMs > performance.now() ? kept.header : undefined;
    },
    async answer(url, challengeHeader, signal) {
      const challenges = parseChallenges(challengeHeader);
      const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
      if (bearer !== undefined) {
        if (credential.kind === 'bearer') return keep(`Bearer ${credential.token}`, 3_600_000);
        const { token, lifeMs } = await fetchToken(options, url, bearer, signal);
        return keep(`Bearer ${token}`, lifeMs - renewEarlierMs);
      }
      const basic = challenges.some((challenge) => challenge.scheme === 'basic');
      return basic && credential.kind === 'basic' ? keep(basicHeader(credential), 3_600_000) : undefined;
    },
  };
}

type Token = { token: string; lifeMs: number };

async function fetchToken(
  options: AuthorizeOptions,
  from: string,
  challenge: Challenge,
  signal: AbortSignal,
): Promise<Token> {
  const { http, credential, host, repository, trust } = options;
  const realm = realmOf(challenge, from, options);
  const service = challenge.parameters['service'] ?? '';
  const scope = `repository:${repository}:pull`;
  const common = { trust: { ...trust, clientPem: '' }, signal, maxBytes: maxTokenBytes };
  if (credential.kind === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credential.token,
      service,
      scope,
      client_id: 'berth',
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return readToken(
      await http.send({ ...common, url: realm.href, method: 'POST', headers, body: `${form}` }),
      host,
      repository,
    );
  }
  if (service !== '') realm.searchParams.set('service', service);
  realm.searchParams.set('scope', scope);
  if (credential.kind === 'basic') realm.searchParams.set('account', credential.username);
  const headers = credential.kind === 'basic' ? { authorization: basicHeader(credential) } : {};
  return readToken(await http.send({ ...common, url: realm.href, headers }), host, repository);
}

/** A registry asked over HTTPS may not have credentials sent in the clear. */
function realmOf(challenge: Challenge, from: string, { credential, host, trust }: AuthorizeOptions): URL {
  const text = challenge.parameters['realm'] ?? '';
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined || !/^https?:$/.test(realm.protocol)) {
    throw new RuntimeError('registry-unavailable', `registry ${host} names no usable token server`);
  }
  if (realm.protocol === 'http:' && from.startsWith('https:') && !trust.insecure && credential.kind !== 'anonymous') {
    throw new RuntimeError(
      'denied',
      `registry ${host} wants credentials sent to ${realm.origin} without encryption: refused`,
    );
  }
  return realm;
}

function readToken(answer: HttpAnswer, host: string, repository: string): Token {
  const { status } = answer;
  const server = new URL(answer.url).origin;
  if (status >= 500 || status === 429) {
    throw new RuntimeError('registry-unavailable', `token server ${server} of registry ${host} answered ${status}`);
  }
  if (status !== 200) {
    throw new RuntimeError(
      'denied',
      `token server ${server} refused access to ${host}/${repository} (${status}): check name and credentials`,
    );
  }
  const reply = parseObject(answer.body.toString('utf8'), `answer of token server ${server}`);
  const token = textIn(reply['token'], 'token') || textIn(reply['access_token'], 'access_token');
  if (token === '') throw new RuntimeError('registry-unavailable', `token server ${server} answered without a token`);
  const seconds = reply['expires_in'];
  const lifeSeconds =
    typeof seconds === 'number' && seconds > 0 ? Math.max(seconds, defaultLifeSeconds) : defaultLifeSeconds;
  return { token, lifeMs: lifeSeconds * 1000 };
}
