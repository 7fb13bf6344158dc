import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asRuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../../pod/context.ts';
import { podPaths } from '../../pod/paths.ts';
import { openStream } from '../../pod/shim/client.ts';
import type { Session } from './session.ts';

/** Connects a client's stream with a TCP port of the pod, made by its shim. */
export type Forward = (port: number, data: Duplex) => Promise<string>;

/**
 * Forwards for one session. Each resolves when both ways of its stream have ended or it broke off: with nothing, or
 * with why the port could not be reached.
 */
export function forwarder(context: PodContext, sandboxId: string, session: Session): Forward {
  const { socket } = podPaths(context.roots, sandboxId);
  return async (port, data) => {
    try {
      const { connection, first } = await openStream(socket, 'dial', { port });
      session.own(connection);
      if (first.length > 0) connection.unshift(first);
      await relay(data, connection, session);
      return '';
    } catch (error) {
      data.destroy();
      return `error forwarding port ${port} to pod ${sandboxId}: ${asRuntimeError(error).message}`;
    }
  };
}

/** Bytes both ways, each way ending by itself. What breaks one side breaks the other. */
async function relay(data: Duplex, connection: Socket, session: Session): Promise<void> {
  const touch = (): void => session.touch();
  connection.on('error', () => undefined);
  data.on('data', touch).pipe(connection);
  connection.on('data', touch).pipe(data);
  await Promise.all([closed(data, connection), closed(connection, data)]);
}

function closed(one: Duplex, other: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      if (!one.readableEnded || !one.writableFinished) other.destroy();
      resolve();
    };
    if (one.closed) done();
    else one.once('close', done);
  });
}
