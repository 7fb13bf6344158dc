import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RuntimeError } from '../api/errors.ts';
import { http } from '../api/http.ts';
import { METRICS_CONTENT_TYPE } from './metrics.ts';

export type ObservationServer = {
  /** `HOST:PORT` that it listens on. */
  address: string;
  close(): Promise<void>;
};

export type ObservationOptions = {
  /** `HOST:PORT`; port 0 takes any free one. */
  address: string;
  /** The page of /metrics. */
  render: () => Promise<string>;
  /** Why the daemon cannot do its work; undefined when it can. */
  unhealthy: () => string | undefined;
};

/** Serves GET /metrics and /healthz over plain HTTP. Throws `in-use` when the address is taken, else `unavailable`. */
export async function serveObservation(options: ObservationOptions): Promise<ObservationServer> {
  const server = http.createServer({ maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000 });
  server.maxConnections = 64;
  server.on('request', (request, response) => void answer(options, request, response));
  const { host, port } = split(options.address);
  await new Promise<void>((resolve, reject) => {
    // Also for later ones, which would end the daemon if nobody listened.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const kind = error.code === 'EADDRINUSE' ? 'in-use' : 'unavailable';
      reject(new RuntimeError(kind, `cannot serve /metrics on ${options.address}: ${error.message}; see --metrics-address`, error));
    });
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

async function answer(options: ObservationOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') return reply(response, 405, 'only GET and HEAD\n');
  if (path === '/healthz') {
    const reason = options.unhealthy();
    return reason === undefined ? reply(response, 200, 'ok\n') : reply(response, 503, `${reason}\n`);
  }
  if (path !== '/metrics') return reply(response, 404, 'there are /metrics and /healthz\n');
  try {
    reply(response, 200, await options.render(), METRICS_CONTENT_TYPE);
  } catch (error) {
    reply(response, 500, `${(error as Error).message}\n`);
  }
}

/** Ends a request with a text of known length. */
export function reply(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) };
}
