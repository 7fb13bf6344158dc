import type { IncomingMessage, Server } from 'node:http';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { RuntimeError } from '../../api/errors.ts';
import type { Certificate } from './certificate.ts';
import { byLimit, type StreamingLimits } from './limits.ts';
import { plainServer, secureServer } from './http-server.ts';
import { type Refusal, refuse } from './refusal.ts';

/** An HTTP server that does nothing but hand on requests to upgrade. */
export type Listener = {
  /** What clients on this machine connect to, such as `http://127.0.0.1:40123`; for all addresses that is loopback. */
  origin: string;
  /** Shows new connections what the certificate is now. */
  renew(): void;
  /** Listens no more and drops requests that are not complete; resolves when every connection is closed. */
  close(): Promise<void>;
};

export type ListenerOptions = {
  /** Address and TCP port; port 0 takes any free one. */
  address: string;
  port: number;
  limits: StreamingLimits;
  /** TLS with it, else plain HTTP. */
  certificate?: Certificate | undefined;
  /** Gets the connection of a complete request, and what came behind that. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** A client was turned away by this limit. */
  onLimit(name: keyof StreamingLimits): void;
  /** Connections could not be taken, such as for want of descriptors; others may be later. */
  onError(error: Error): void;
};

/** Starts listening. Throws `in-use` when the port is taken, `unavailable` else. */
export function listenForStreams(options: ListenerOptions): Promise<Listener> {
  const { address, port, limits, certificate } = options;
  const { server, renew } = certificate ? secureServer(options, certificate) : plainServer(limits);
  // All are taken, so that too many can be told.
  server.maxHeadersCount = 0;
  const waiting = waitingRequests(server, options);
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    waiting.leave(socket);
    if (request.rawHeaders.length <= 2 * limits.maxHeaders) return options.onUpgrade(request, socket, head);
    options.onLimit('maxHeaders');
    refuse(socket, { status: 431, message: `too many headers ${byLimit(limits, 'maxHeaders')}` });
  });
  server.on('request', (_, response) => {
    response.writeHead(400, { 'content-type': 'text/plain', connection: 'close' });
    response.end('unable to upgrade: exec, attach and port-forward need a WebSocket or SPDY/3.1\n');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { limit, ...answer } = answerTo(error, limits);
    if (limit) options.onLimit(limit);
    refuse(socket, answer);
  });
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => {
      const kind = error.code === 'EADDRINUSE' ? 'in-use' : 'unavailable';
      const message = `cannot serve streams on ${address}:${port}: ${error.message}; see --stream-address and --stream-port`;
      reject(new RuntimeError(kind, message, error));
    };
    server.once('error', refused);
    server.listen(port, address, () => {
      server.off('error', refused).on('error', options.onError);
      resolve({
        origin: `${certificate ? 'https' : 'http'}://${hostOf(server, address)}`,
        renew,
        close: () => close(server, waiting),
      });
    });
  });
}

type Waiting = { leave(socket: Socket): void; dropAll(): void };

/** Connections by their peer, the oldest first, from the first byte (of TLS, if that is spoken) to the whole request. */
function waitingRequests(server: Server, { limits, certificate, onLimit }: ListenerOptions): Waiting {
  const waiting = new Map<string, Socket>();
  const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    waiting.set(name, socket);
    socket.once('close', () => {
      if (waiting.get(name) === socket) waiting.delete(name);
    });
    const [oldest] = waiting;
    if (waiting.size <= limits.maxRequests || !oldest) return;
    waiting.delete(oldest[0]);
    onLimit('maxRequests');
    if (certificate) oldest[1].destroy();
    else refuse(oldest[1], { status: 503, message: `too many incomplete requests ${byLimit(limits, 'maxRequests')}` });
  });
  return {
    leave: (socket) => void waiting.delete(nameOf(socket)),
    dropAll: () => {
      for (const socket of waiting.values()) socket.destroy();
    },
  };
}

/** What a client is told whose request could not be read. */
function answerTo({ code, message }: NodeJS.ErrnoException, limits: StreamingLimits): Refusal & { limit?: keyof StreamingLimits } {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { status: 431, message: `the headers are too long ${byLimit(limits, 'maxHeaderBytes')}`, limit: 'maxHeaderBytes' };
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: 408, message: `the request did not come in time ${byLimit(limits, 'requestMs')}`, limit: 'requestMs' };
  }
  return { status: 400, message: `no HTTP/1.1 request: ${message}` };
}

function hostOf(server: Server, address: string): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `${isIPv6(host) ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server, waiting: Waiting): Promise<void> {
  waiting.dropAll();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
