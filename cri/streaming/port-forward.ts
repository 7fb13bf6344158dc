import type { Duplex } from 'node:stream';
import { asRuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../../pod/context.ts';
import { MAX_STREAMS, serveSpdy, type SpdyStream } from '../spdy/connection.ts';
import { tunnelOf } from '../websocket/connection.ts';
import type { StreamAsk } from './ask.ts';
import type { Upgraded } from './command.ts';
import { type Forward, forwarder } from './forward.ts';
import type { Session } from './session.ts';
import { isTunnel } from './upgrade.ts';
import { openChannels } from './websocket-channels.ts';

/** How long the second stream of a pair may take to come. */
const PAIR_MS = 30_000;

/** Serves a port-forward: SPDY, SPDY in a WebSocket, or a WebSocket with two channels for each port that was asked for. */
export async function servePortForward(
  context: PodContext,
  ask: StreamAsk & { kind: 'portforward' },
  upgraded: Upgraded,
  session: Session,
): Promise<void> {
  const { transport, protocol, socket } = upgraded;
  const forward = forwarder(context, ask.sandboxId, session);
  if (transport === 'spdy') await serveStreams(socket, forward, session);
  else if (isTunnel(protocol)) await serveStreams(tunnelOf(socket), forward, session);
  else await serveChannels(upgraded, ask.ports, forward, session);
}

type Pair = { data?: Duplex; error?: Duplex; timer: NodeJS.Timeout };

/** The client opens two streams for each connection, which name its number and port. */
async function serveStreams(transport: Duplex, forward: Forward, session: Session): Promise<void> {
  const pairs = new Map<string, Pair>();
  const spdy = serveSpdy(transport, (stream) => {
    const port = portOf(stream);
    const kind = stream.headers.get('streamtype');
    if (port === 0 || (kind !== 'data' && kind !== 'error')) return false;
    const request = requestOf(stream, kind);
    const pair = pairs.get(request) ?? newPair(pairs, request);
    if (pair[kind]) return false;
    pair[kind] = stream.body;
    if (pair.data && pair.error) {
      clearTimeout(pair.timer);
      pairs.delete(request);
      const over = (error: unknown): void => session.end(asRuntimeError(error).message);
      forwardPair(forward, port, pair.data, pair.error).catch(over);
    }
    return true;
  });
  session.onBeat(spdy.ping);
  await session.closed;
}

function newPair(pairs: Map<string, Pair>, request: string): Pair {
  const timer = setTimeout(() => {
    pairs.delete(request);
    pair.data?.destroy();
    pair.error?.destroy();
  }, PAIR_MS).unref();
  const pair: Pair = { timer };
  pairs.set(request, pair);
  return pair;
}

/** Old clients give no number: they open the error stream, then the data stream, so that their ids differ by two. */
function requestOf({ id, headers }: SpdyStream, kind: 'data' | 'error'): string {
  return headers.get('requestid') ?? `stream ${kind === 'error' ? id : id - 2}`;
}

/** 0 when the stream names none. */
function portOf({ headers }: SpdyStream): number {
  const text = headers.get('port') ?? '';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port <= 0xffff ? port : 0;
}

async function forwardPair(forward: Forward, port: number, data: Duplex, error: Duplex): Promise<void> {
  error.resume();
  const problem = await forward(port, data);
  if (problem !== '') error.write(problem);
  error.end();
}

/**
 * Two channels for each port, data and errors; the first message on both is the port (16 bit, little-endian). Channels
 * have no end of their own: one that the port has ended is over for the client too.
 */
async function serveChannels(
  { socket, protocol }: Upgraded,
  ports: number[],
  forward: Forward,
  session: Session,
): Promise<void> {
  const channels = openChannels(socket, protocol);
  session.onBeat(channels.ping);
  const served = ports.slice(0, MAX_STREAMS / 2).map(async (port, at) => {
    const [data, error] = [channels.open(2 * at), channels.open(2 * at + 1)];
    data.once('finish', () => data.destroy());
    error.resume();
    const name = Buffer.alloc(2);
    name.writeUInt16LE(port);
    data.write(name);
    error.write(name);
    const problem = await forward(port, data);
    if (problem !== '' && error.writable) error.write(problem);
  });
  await Promise.all(served);
  channels.close();
}
