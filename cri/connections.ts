import { createServer, type Socket } from 'node:net';
import { RuntimeError } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';

/** Most clients at a time: a kubelet has three connections, each crictl and each watcher one. */
export const MAX_CONNECTIONS = 512;

export type ConnectionOptions = {
  /** Unix socket to listen on. */
  path: string;
  serve(connection: Socket): void;
  log: Log;
  /** A client was turned away by the limit of that name. */
  limit(name: string): void;
};

/**
 * Takes connections on a unix socket. Too many are closed at once, and one that cannot be taken (no descriptor is left)
 * is logged: whoever is connected already goes on. Throws `unavailable` when the socket cannot be made.
 */
export function acceptConnections({ path, serve, log, limit }: ConnectionOptions): Promise<{ close(): void }> {
  let open = 0;
  const server = createServer((connection) => {
    if (open >= MAX_CONNECTIONS) {
      connection.destroy();
      limit('maxConnections');
      log.warn('a client of the CRI socket is turned away: too many', { maxConnections: MAX_CONNECTIONS });
      return;
    }
    open++;
    connection.once('close', () => void open--);
    serve(connection);
  });
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void =>
      reject(new RuntimeError('unavailable', `cannot listen on ${path}: ${error.message}`, error));
    server.once('error', refused);
    server.listen(path, () => {
      server.off('error', refused);
      server.on('error', (error) => log.warn('a client cannot connect to the CRI socket', { error: error.message }));
      resolve({ close: () => void server.close() });
    });
  });
}
