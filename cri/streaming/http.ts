import type { IncomingMessage, Server } from 'node:http';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { RuntimeError } from '../../api/errors.ts';
import { http } from '../../api/http.ts';
import type { PodContext } from '../../pod/context.ts';
import type { StreamAsk } from './ask.ts';
import { openSession, type Session, type SessionLimits } from './session.ts';
import { openTokens } from './tokens.ts';
import { upgradeOf } from './upgrade.ts';

/** Where the kubelet's clients are sent for exec, attach and port-forward. */
export type Streaming = {
  /** A URL that does what was asked for, once and within a minute. Throws `exhausted`, or as `listen`. */
  url(ask: StreamAsk): Promise<string>;
  /** Listens already, which else the first URL does. Throws `in-use` when the port is taken, `unavailable` else. */
  listen(): Promise<void>;
  /** Ends all sessions and listens no more. */
  close(): Promise<void>;
};

export type StreamingOptions = {
  /** Address and TCP port to listen on; port 0 takes any free one. */
  address: string;
  port: number;
  limits?: SessionLimits;
};

const TOKEN_LIFE_MS = 60_000;
const MAX_TOKENS = 1000;
const MAX_CONNECTIONS = 4096;

/** As the kubelet's own server: four hours without a byte. */
const defaultLimits: SessionLimits = { idleMs: 4 * 3_600_000, totalMs: 7 * 24 * 3_600_000, beatMs: 30_000 };

/** A server of streams; it listens when the first URL is asked for, so that a node without exec has none. */
export function streamingServer(context: PodContext, options: StreamingOptions): Streaming {
  const tokens = openTokens<StreamAsk>({ lifeMs: TOKEN_LIFE_MS, most: MAX_TOKENS, now: () => performance.now() });
  const sessions = new Set<Session>();
  let listening: Promise<Server> | undefined;

  function start(ask: StreamAsk, socket: Duplex): Session {
    const fromMs = performance.now();
    const session = openSession(socket, options.limits ?? defaultLimits);
    sessions.add(session);
    void session.closed.then(() => {
      sessions.delete(session);
      const { message } = session.signal.reason as Error;
      const id = ask.kind === 'portforward' ? ask.sandboxId : ask.containerId;
      context.log.debug('stream ended', { kind: ask.kind, id, message, seconds: (performance.now() - fromMs) / 1000 });
    });
    return session;
  }

  const listen = (): Promise<Server> => {
    listening ??= listenOn(options, (request, socket, head) => {
      upgrade(request, socket, head, { take: tokens.take, start, context }).catch(() => socket.destroy());
    });
    listening.catch(() => {
      listening = undefined;
    });
    return listening;
  };

  return {
    url: async (ask) => `http://${addressOf(await listen(), options)}/${ask.kind}/${tokens.give(ask)}`,
    listen: async () => void (await listen()),
    close: async () => {
      for (const session of sessions) session.end('the runtime ends');
      const server = await listening?.catch(() => undefined);
      server?.closeAllConnections();
      if (server) await new Promise((resolve) => server.close(resolve));
    },
  };
}

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

function listenOn({ address, port }: StreamingOptions, onUpgrade: OnUpgrade): Promise<Server> {
  const server = http.createServer({
    maxHeaderSize: 16_384,
    headersTimeout: 10_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('upgrade', onUpgrade);
  server.on('request', (_, response) => {
    response.writeHead(400, { 'content-type': 'text/plain', connection: 'close' });
    response.end('unable to upgrade: exec, attach and port-forward need a WebSocket or SPDY/3.1\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const kind = error.code === 'EADDRINUSE' ? 'in-use' : 'unavailable';
      reject(
        new RuntimeError(
          kind,
          `cannot serve streams on ${address}:${port}: ${error.message}; see --stream-address and --stream-port`,
          error,
        ),
      );
    });
    server.listen(port, address, () => resolve(server));
  });
}

/** What clients on this machine connect to; for all addresses that is loopback. */
function addressOf(server: Server, { address }: StreamingOptions): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `${isIPv6(host) ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
}

type Prepared = {
  take: (token: string) => StreamAsk | undefined;
  start: (ask: StreamAsk, socket: Duplex) => Session;
  context: PodContext;
};

async function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { take, start, context }: Prepared,
): Promise<void> {
  socket.on('error', () => undefined);
  const [, kind, token = ''] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
  const ask = take(token);
  if (ask?.kind !== kind || !ask) return refuse(socket, 404, 'unknown, used or expired: ask for a new URL');
  const upgraded = upgradeOf(ask.kind, request.headers);
  if ('status' in upgraded) return refuse(socket, upgraded.status, upgraded.message, upgraded.headers);
  const session = start(ask, socket);
  const { serveStream } = await import('./serve.ts');
  (socket as Socket).setKeepAlive(true, defaultLimits.beatMs);
  socket.write(upgraded.head);
  if (head.length > 0) socket.unshift(head);
  await serveStream(context, ask, { ...upgraded, socket }, session);
}

function refuse(socket: Duplex, status: number, message: string, headers: string[] = []): void {
  const body = `${message}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  socket.once('finish', () => socket.destroy());
}
