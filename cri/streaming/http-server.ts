import { randomBytes } from 'node:crypto';
import type { Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { http } from '../../api/http.ts';
import type { Certificate } from './certificate.ts';
import type { StreamingLimits } from './limits.ts';

/** A server that does not listen yet. */
export type HttpServer = {
  server: Server;
  /** Shows new connections what the certificate is now. */
  renew(): void;
};

export function plainServer(limits: StreamingLimits): HttpServer {
  return { server: http.createServer(httpOptions(limits)), renew: () => undefined };
}

/** TLS 1.2 or newer; with authorities in the certificate, a client must show a certificate by one of them. */
export function secureServer(
  { limits, onLimit }: { limits: StreamingLimits; onLimit(name: keyof StreamingLimits): void },
  certificate: Certificate,
): HttpServer {
  const context = certificate.context();
  const server = process.getBuiltinModule('node:https').createServer({
    ...httpOptions(limits),
    ...context,
    requestCert: context.ca !== undefined,
    handshakeTimeout: limits.requestMs,
  });
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') onLimit('requestMs');
    socket.destroy();
  });
  const renew = (): void => {
    server.setSecureContext(certificate.context());
    // Sessions of the time before are not resumed: who was trusted then may not be now.
    server.setTicketKeys(randomBytes(TICKET_KEYS_BYTES));
  };
  return { server, renew };
}

/** Of a TLS server (tls.Server, setTicketKeys). */
const TICKET_KEYS_BYTES = 48;

function httpOptions(limits: StreamingLimits): ServerOptions {
  return {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.ceil(limits.requestMs / 4),
    keepAliveTimeout: limits.requestMs,
  };
}
