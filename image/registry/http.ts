import type { Agent as PlainAgent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import { createSecureContext } from 'node:tls';
import { RuntimeError } from '../../api/errors.ts';
import { http } from '../../api/http.ts';
import { proxyFor } from './proxy.ts';
import { systemAuthorities, type Trust } from './trust.ts';

/** One request; redirects are followed. */
export type HttpAsk = {
  url: string;
  method?: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
  /** A larger answer is refused as `corrupt`. */
  maxBytes: number;
  trust: Trust;
  /** Headers that are of no use elsewhere and may be secret: they do not follow a redirect to another host. */
  secretHeaders?: readonly string[];
  signal: AbortSignal;
};
/** What came back, from the last of the redirects. */
export type HttpAnswer = {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Where the answer came from, and what was sent there. */
  url: string;
  sent: Record<string, string>;
  trust: Trust;
};

/** Bounded HTTP requests over kept connections. */
export type Http = {
  /** Fails as `registry-unavailable` when there is no answer, `timeout` or `cancelled` when told to stop. */
  send(ask: HttpAsk): Promise<HttpAnswer>;
  close(): void;
};

const answerWithinMs = 60_000;
const maxRedirects = 5;
const idleConnectionMs = 5_000;

/** Connections are kept for a few seconds after their last use. */
export function createHttp(): Http {
  const agents = createAgents();
  return {
    async send(ask) {
      let next = ask;
      for (let redirects = 0; redirects <= maxRedirects; redirects++) {
        const answer = await exchange(next, agents);
        const location = answer.headers.location;
        if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
        next = redirected(next, location);
      }
      throw new RuntimeError('registry-unavailable', `${originOf(ask.url)}: more than ${maxRedirects} redirects`);
    },
    close: () => agents.close(),
  };
}

type Agents = { for(ask: HttpAsk): PlainAgent; close(): void };

/**
 * Agents are made when they are needed: one for each proxy, and for HTTPS one for each trust with one TLS context for
 * all its connections, because each context parses the authorities anew and holds a MiB of them.
 */
function createAgents(): Agents {
  const kept = { keepAlive: true, maxFreeSockets: 6, timeout: idleConnectionMs };
  const agents = new Map<string, PlainAgent>();
  const create = (secure: boolean, proxy: string, { insecure, caPem, clientPem }: Trust): PlainAgent => {
    const through = proxy === '' ? kept : { ...kept, proxyEnv: { http_proxy: proxy, https_proxy: proxy } };
    if (!secure) return new http.Agent(through);
    const shown = clientPem === '' ? {} : { cert: clientPem, key: clientPem };
    if (insecure) return new https.Agent({ ...through, ...shown, rejectUnauthorized: false });
    const system = systemAuthorities();
    const secureContext = createSecureContext({ ...shown, ...(system !== undefined && { ca: [system, caPem] }) });
    return new https.Agent({ ...through, secureContext });
  };
  return {
    for({ url, trust }) {
      const secure = url.startsWith('https:');
      const proxy = proxyFor(url, process.env);
      const key = JSON.stringify(secure ? [proxy, trust] : [proxy]);
      const agent = agents.get(key) ?? create(secure, proxy, trust);
      agents.set(key, agent);
      return agent;
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** Credentials do not follow a redirect to another host, nor does the client certificate. */
function redirected(ask: HttpAsk, location: string): HttpAsk {
  const from = new URL(ask.url);
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (to === undefined || !/^https?:$/.test(to.protocol)) {
    throw new RuntimeError('registry-unavailable', `${from.origin} redirects to an address that is none`);
  }
  if (from.protocol === 'https:' && to.protocol === 'http:' && !ask.trust.insecure) {
    throw new RuntimeError('denied', `${from.origin} redirects from HTTPS to ${to.origin}: refused`);
  }
  if (from.host === to.host) return { ...ask, url: to.href };
  const secret = new Set(['authorization', ...(ask.secretHeaders ?? [])]);
  const headers = Object.fromEntries(Object.entries(ask.headers).filter(([name]) => !secret.has(name)));
  return { ...ask, url: to.href, headers, trust: { ...ask.trust, clientPem: '' } };
}

function exchange(ask: HttpAsk, agents: Agents): Promise<HttpAnswer> {
  const url = new URL(ask.url);
  const signal = AbortSignal.any([ask.signal, AbortSignal.timeout(answerWithinMs)]);
  const secure = url.protocol === 'https:';
  const agent = agents.for(ask);
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(failure(ask, error));
    const options = { method: ask.method ?? 'GET', headers: { 'user-agent': 'berth', ...ask.headers }, agent, signal };
    const request = (secure ? https : http).request(url, options, (response) => {
      readBody(response, ask).then(
        (body) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            url: ask.url,
            sent: ask.headers,
            trust: ask.trust,
          }),
        fail,
      );
    });
    request.on('error', fail);
    request.end(ask.body);
  });
}

async function readBody(response: IncomingMessage, ask: HttpAsk): Promise<Buffer> {
  if (ask.headers['range'] !== undefined && response.statusCode === 200) {
    response.destroy();
    return Buffer.alloc(0);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > ask.maxBytes) {
      throw new RuntimeError('corrupt', `${originOf(ask.url)} answered with more than ${ask.maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failure(ask: HttpAsk, error: Error): RuntimeError {
  if (error instanceof RuntimeError) return error;
  if (ask.signal.aborted) {
    const kind = (ask.signal.reason as Error | undefined)?.name === 'TimeoutError' ? 'timeout' : 'cancelled';
    return new RuntimeError(kind, `request to ${originOf(ask.url)} was given up`, error);
  }
  const code = (error as NodeJS.ErrnoException).code;
  const why = error.name === 'AbortError' ? `no answer within ${answerWithinMs / 1000} s` : error.message || code;
  return new RuntimeError('registry-unavailable', `${originOf(ask.url)}: ${why}`, error);
}

/** What may be shown of an address: queries carry signatures. */
function originOf(url: string): string {
  return new URL(url).origin;
}
