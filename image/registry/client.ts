import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { BlobSource } from '../../api/engine.ts';
import { isKind, RuntimeError } from '../../api/errors.ts';
import { wallClockMs } from '../../host/clock.ts';
import { digestOf } from '../manifest/digest.ts';
import { acceptManifests, maxManifestBytes, type Descriptor } from '../manifest/manifest.ts';
import { isDigest } from '../manifest/reference.ts';
import { type Authorizer, createAuthorizer, type TokenCache } from './authorize.ts';
import type { Credential } from './credential.ts';
import type { Http, HttpAnswer } from './http.ts';
import type { Place } from './place.ts';
import { proxyFor } from './proxy.ts';
import { RegistryBusy, retryAfterMs } from './retry.ts';

/** A manifest as served; its bytes have the digest. */
export type ServedManifest = { json: string; contentType: string; digest: string };

/**
 * Reads one repository of one registry (OCI distribution spec, pull). Errors: `registry-unavailable` when it cannot be
 * reached or fails, `denied`, `not-found`, `corrupt` when bytes do not have their digest.
 */
export type RegistryClient = {
  place: Place;
  manifest(tagOrDigest: string, signal: AbortSignal): Promise<ServedManifest>;
  blob(descriptor: Descriptor, maxBytes: number, signal: AbortSignal): Promise<string>;
  /** Where the bytes of a blob come from once redirects are followed. */
  locate(digest: string, signal: AbortSignal): Promise<BlobSource>;
  /** As `locate`, without a request: where blobs are served when the last one was served right where it was asked for; undefined when nobody can know. */
  expect(digest: string): Promise<BlobSource | undefined>;
};

/** Whom to ask, as whom. */
export type ClientOptions = {
  http: Http;
  tokens: TokenCache;
  /** Looked up once, for the first request. */
  credential: () => Promise<Credential>;
  place: Place;
};
type Ask = { path: string; headers: Record<string, string>; maxBytes: number; signal: AbortSignal };

/** A client; nothing is asked yet. */
export function createRegistryClient(options: ClientOptions): RegistryClient {
  const { place } = options;
  const { get, urlOf, holds } = authorizedGet(options);
  /** The last answer about a blob. */
  let served: { digest: string; answer: HttpAnswer } | undefined;
  const getBlob = async (digest: string, ask: Omit<Ask, 'path'>): Promise<HttpAnswer> => {
    const answer = await get({ ...ask, path: `blobs/${digest}` });
    served = { digest, answer };
    return answer;
  };
  return {
    place,
    async manifest(tagOrDigest, signal) {
      const path = `manifests/${tagOrDigest}`;
      const answer = await get({ path, headers: { accept: acceptManifests }, maxBytes: maxManifestBytes, signal });
      requireNoPage(answer, place);
      const digest = isDigest(tagOrDigest) ? tagOrDigest : digestOf(answer.body);
      requireDigest(answer.body, digest, place);
      return { json: answer.body.toString('utf8'), contentType: answer.headers['content-type'] ?? '', digest };
    },
    async blob({ digest, sizeBytes }, maxBytes, signal) {
      if (sizeBytes > maxBytes) {
        throw new RuntimeError(
          'unsupported',
          `blob ${digest} of ${nameOf(place)} has ${sizeBytes} bytes, at most ${maxBytes} are read`,
        );
      }
      const answer = await getBlob(digest, { headers: {}, maxBytes: sizeBytes, signal });
      requireDigest(answer.body, digest, place);
      return answer.body.toString('utf8');
    },
    async locate(digest, signal) {
      return await sourceOf(await getBlob(digest, { headers: { range: 'bytes=0-0' }, maxBytes: 1, signal }));
    },
    async expect(digest) {
      const direct = served !== undefined && served.answer.url === urlOf(`blobs/${served.digest}`) && (await holds(served.answer));
      // A certificate is for the registry alone, and this blob may lead elsewhere after all.
      if (!direct || served === undefined || served.answer.trust.clientPem !== '') return undefined;
      return await sourceOf({ ...served.answer, url: urlOf(`blobs/${digest}`) });
    },
  };
}

async function sourceOf({ url, sent, trust }: HttpAnswer): Promise<BlobSource> {
  const { range: _, ...headers } = sent;
  const proxy = proxyFor(url, process.env);
  return { url, headers, proxy, addresses: await addressesOf(proxy || url), ...trust };
}

/** Asks as whoever may; `holds`: the authorization of that answer is still good. */
type AuthorizedGet = { get: (ask: Ask) => Promise<HttpAnswer>; urlOf: (path: string) => string; holds: (answer: HttpAnswer) => Promise<boolean> };

function authorizedGet({ http, tokens, credential, place }: ClientOptions): AuthorizedGet {
  const { host, repository, trust, namespace } = place;
  let looked: Promise<Authorizer> | undefined;
  const authorizerOf = (): Promise<Authorizer> =>
    (looked ??= credential().then((found) => createAuthorizer({ http, tokens, credential: found, host, repository, trust })));
  const query = namespace === '' ? '' : `?ns=${encodeURIComponent(namespace)}`;
  let working: string | undefined;
  const urlAt = (baseUrl: string, path: string): string => `${baseUrl}/${repository}/${path}${query}`;

  const send = async (baseUrl: string, ask: Ask, authorization: string | undefined): Promise<HttpAnswer> => {
    const answer = await http.send({
      ...ask,
      url: urlAt(baseUrl, ask.path),
      headers: { ...ask.headers, ...place.headers, ...(authorization !== undefined && { authorization }) },
      secretHeaders: Object.keys(place.headers),
      trust,
    });
    if (answer.status !== 400 || !baseUrl.startsWith('http:') || !/HTTPS/.test(answer.body.toString('latin1')))
      return answer;
    throw new RuntimeError('registry-unavailable', `${baseUrl} speaks HTTPS only`);
  };
  /** Plain HTTP and HTTPS are tried in the place's order until one of them answers. */
  const first = async (ask: Ask): Promise<HttpAnswer> => {
    const authorizer = await authorizerOf();
    let failed: unknown;
    for (const baseUrl of working === undefined ? place.baseUrls : [working]) {
      try {
        const answer = await send(baseUrl, ask, authorizer.current());
        working = baseUrl;
        return answer;
      } catch (error) {
        if (!isKind(error, 'registry-unavailable')) throw error;
        failed ??= error;
      }
    }
    throw failed;
  };
  const get = async (ask: Ask): Promise<HttpAnswer> => {
    let answer = await first(ask);
    const challenge = answer.headers['www-authenticate'];
    if (answer.status === 401 && challenge !== undefined && working !== undefined) {
      const authorizer = await authorizerOf();
      const header = await authorizer.answer(working, challenge, ask.signal);
      if (header !== undefined) answer = await send(working, ask, header);
    }
    requireSuccess(answer, place, ask.path);
    return answer;
  };
  return {
    get,
    urlOf: (path) => urlAt(working ?? '', path),
    holds: async ({ sent }) => sent['authorization'] === (await authorizerOf()).current(),
  };
}

function requireSuccess({ status, body, headers }: HttpAnswer, place: Place, path: string): void {
  if ((status >= 200 && status < 300) || status === 416) return;
  const where = nameOf(place);
  const said = status >= 400 ? messageIn(body) : '';
  if (status === 401 || status === 403) {
    throw new RuntimeError('denied', `${where}: access denied (${status})${said}: check name and credentials`);
  }
  if (status === 404) throw new RuntimeError('not-found', `${where}: ${path} does not exist${said}`);
  if (status >= 500 || status === 429 || status === 408) {
    throw busy(`${where}: the registry answered ${status}${said}`, headers['retry-after']);
  }
  throw new RuntimeError('unsupported', `${where}: the registry answered ${status} for ${path}${said}`);
}

/** What a proxy or a portal in the way shows to people. */
function requireNoPage({ headers }: HttpAnswer, place: Place): void {
  if (!/^text\/html\b/i.test(headers['content-type'] ?? '')) return;
  throw new RuntimeError(
    'registry-unavailable',
    `${nameOf(place)}: the answer is text/html instead of a manifest: is it a registry, or is a proxy in the way?`,
  );
}

function busy(message: string, retryAfter: string | undefined): RuntimeError {
  const pauseMs = retryAfterMs(retryAfter, wallClockMs());
  if (pauseMs === 0) return new RuntimeError('registry-unavailable', message);
  return new RegistryBusy(`${message}, and asks for a pause of ${Math.ceil(pauseMs / 1000)} s`, pauseMs);
}

/** The first error of a registry's JSON answer, short and printable. */
function messageIn(body: Buffer): string {
  const message = /"message"\s*:\s*"([\x20-\x7e]{1,200}?)"/.exec(body.toString('latin1'))?.[1];
  return message === undefined ? '' : ` (${message})`;
}

function requireDigest(bytes: Buffer, digest: string, place: Place): void {
  const [algorithm = ''] = digest.split(':', 1);
  const actual = digestOf(bytes, algorithm);
  if (actual === digest) return;
  throw new RuntimeError('corrupt', `${nameOf(place)}: the registry served ${actual} for ${digest}`);
}

async function addressesOf(url: string): Promise<string[]> {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map((found) => found.address);
  } catch (error) {
    throw new RuntimeError('registry-unavailable', `the name ${host} cannot be resolved`, error);
  }
}

function nameOf(place: Place): string {
  return `${place.host}/${place.repository}`;
}
