import { createServer, type Socket } from 'node:net';
import { RuntimeError } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';

/** Most clients at a time: a kubelet has three connections, each crictl and each watcher one. */
export const MAX_CONNECTIONS = 512;

export type ConnectionOptions = {
  /** Unix socket to listen on: its path, or the descriptor of one that is bound already. */
  at: { path: string } | { fd: number };
  serve(connection: Socket): void;
  log: Log;
  /** A client was turned away by the limit of that name. */
  limit(name: string): void;
};

/** What listens: `close` takes no new connections and waits for the end of those that are open, `cut` brings it. */
export type Connections = { close(): Promise<void>; cut(): void };

/**
 * Takes connections on a unix socket. Too many are closed at once, and one that cannot be taken (no descriptor is left)
 * is logged: whoever is connected already goes on. Throws `unavailable` when the socket cannot be made.
 */
export function acceptConnections({ at, serve, log, limit }: ConnectionOptions): Promise<Connections> {
  const open = new Set<Socket>();
  const server = createServer((connection) => {
    if (open.size >= MAX_CONNECTIONS) {
      connection.destroy();
      limit('maxConnections');
      log.warn('a client of the CRI socket is turned away: too many', { maxConnections: MAX_CONNECTIONS });
      return;
    }
    open.add(connection);
    connection.once('close', () => void open.delete(connection));
    serve(connection);
  });
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void =>
      reject(new RuntimeError('unavailable', `cannot listen on ${'path' in at ? at.path : 'the socket handed over'}: ${error.message}`, error));
    server.once('error', refused);
    server.listen(at, () => {
      server.off('error', refused);
      server.on('error', (error) => log.warn('a client cannot connect to the CRI socket', { error: error.message }));
      const cut = (): void => {
        for (const connection of open) connection.destroy();
      };
      resolve({ close: () => new Promise((ended) => void server.close(() => ended())), cut });
    });
  });
}
