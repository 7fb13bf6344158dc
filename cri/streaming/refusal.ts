import type { Duplex } from 'node:stream';
import { http } from '../../api/http.ts';

/** An HTTP answer that ends the connection. */
export type Refusal = { status: number; message: string; headers?: string[] };

/** How long a client may take to read why. */
const PATIENCE_MS = 5_000;

/** Tells the client why there is no stream, and closes. */
export function refuse(socket: Duplex, { status, message, headers = [] }: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${message}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  const late = setTimeout(() => socket.destroy(), PATIENCE_MS).unref();
  socket.once('finish', () => socket.destroy()).once('close', () => clearTimeout(late));
}
