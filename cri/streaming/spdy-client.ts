import type { Duplex } from 'node:stream';
import { RuntimeError } from '../../api/errors.ts';
import { type Spdy, type SpdyStream, serveSpdy } from '../spdy/connection.ts';
import type { Wants } from './ask.ts';
import type { Client } from './client.ts';

type Kind = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/** How long a client may take to open its streams. */
const OPENING_MS = 30_000;

/**
 * The client of an exec or attach on an upgraded SPDY connection, once it has opened a stream for each that it carries.
 * Throws `timeout` when it does not, `cancelled` when it goes away before.
 */
export async function spdyClient(socket: Duplex, protocol: string, wants: Wants): Promise<Client> {
  const kinds = kindsOf(protocol, wants);
  const { spdy, bodies } = await openedStreams(socket, kinds);
  const body = (kind: Kind): Duplex | null => bodies.get(kind) ?? null;
  const error = bodies.get('error');
  if (!error) throw new RuntimeError('internal', 'a SPDY client without an error stream');
  // What the client sends on streams that are ours to write to is nothing but their end.
  for (const kind of ['error', 'stdout', 'stderr'] as const) bodies.get(kind)?.resume();
  return {
    stdin: body('stdin'),
    stdout: body('stdout'),
    stderr: body('stderr'),
    error,
    resize: body('resize'),
    ...spdy,
  };
}

function kindsOf(protocol: string, wants: Wants): Set<Kind> {
  const resizes = wants.tty && /^v[34]\./.test(protocol);
  const asked = (['stdin', 'stdout', 'stderr'] as const).filter((kind) => wants[kind]);
  return new Set(['error', ...asked, ...(resizes ? (['resize'] as const) : [])]);
}

function openedStreams(socket: Duplex, missing: Set<Kind>): Promise<{ spdy: Spdy; bodies: Map<Kind, Duplex> }> {
  const bodies = new Map<Kind, Duplex>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new RuntimeError('timeout', `the client did not open ${[...missing].join(', ')} within ${OPENING_MS / 1000} s`),
      );
    }, OPENING_MS).unref();
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new RuntimeError('cancelled', 'the client went away before its streams were open'));
    });
    const spdy = serveSpdy(socket, ({ headers, body }: SpdyStream) => {
      const kind = headers.get('streamtype') as Kind;
      if (!missing.delete(kind)) return false;
      bodies.set(kind, body);
      if (missing.size === 0) {
        clearTimeout(timer);
        resolve({ spdy, bodies });
      }
      return true;
    });
  });
}
