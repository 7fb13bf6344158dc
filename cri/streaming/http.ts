import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../../pod/context.ts';
import type { StreamAsk } from './ask.ts';
import { type Certificate, type CertificateFiles, openCertificate } from './certificate.ts';
import { byLimit, defaultLimits, type StreamingLimits } from './limits.ts';
import { type Listener, listenForStreams } from './listener.ts';
import { refuse } from './refusal.ts';
import { openSession, type Session } from './session.ts';
import { openTokens, type Tokens } from './tokens.ts';
import { upgradeOf } from './upgrade.ts';

/** Where the kubelet's clients are sent for exec, attach and port-forward. */
export type Streaming = {
  /** A URL that does what was asked for, once and within a minute. Throws `exhausted`, or as `listen`. */
  url(ask: StreamAsk): Promise<string>;
  /** Listens already, which else the first URL does. Throws `in-use` when the port is taken, `unavailable` else. */
  listen(): Promise<void>;
  /** Clients at work, and URLs that wait for theirs. */
  count(): { sessions: number; waiting: number };
  /** Ends all sessions and listens no more. */
  close(): Promise<void>;
};

export type StreamingOptions = {
  /** Address and TCP port to listen on; port 0 takes any free one. */
  address: string;
  port: number;
  /** For TLS. */
  certificate?: CertificateFiles;
  /** Those that differ from the usual ones. */
  limits?: Partial<StreamingLimits>;
};

/** A server of streams; it listens when the first URL is asked for, so that a node without exec has none. */
export function streamingServer(context: PodContext, options: StreamingOptions): Streaming {
  const limits = { ...defaultLimits, ...options.limits };
  const tokens = openTokens<StreamAsk>({ ...limits, now: () => performance.now() });
  const streams: Streams = { context, limits, tokens, sessions: new Set() };
  let listening: Promise<Listening> | undefined;

  const start = async (): Promise<Listening> => {
    const certificate = options.certificate && (await openCertificate(options.certificate, context.log));
    const listener = await listenForStreams({
      ...options,
      limits,
      certificate,
      onUpgrade: (request, socket, head) => {
        serve(streams, request, socket, head).catch((error: unknown) => {
          context.log.warn('a stream could not be served', { error: asRuntimeError(error).message });
          socket.destroy();
        });
      },
      onLimit: context.meter.limit,
      onError: (error) => context.log.warn('clients of streams cannot connect', { error: error.message }),
    });
    return { ...listener, certificate };
  };
  const listen = (): Promise<Listening> => {
    listening ??= start();
    listening.catch(() => {
      listening = undefined;
    });
    return listening;
  };

  return {
    url: async (ask) => {
      const { origin, certificate, renew } = await listen();
      if (await certificate?.renew()) renew();
      const full = fullness(streams);
      if (full) throw new RuntimeError('exhausted', full);
      return `${origin}/${ask.kind}/${streams.tokens.give(ask)}`;
    },
    listen: async () => void (await listen()),
    count: () => ({ sessions: streams.sessions.size, waiting: streams.tokens.waiting() }),
    close: async () => {
      for (const session of streams.sessions) session.end('the runtime ends');
      await (await listening?.catch(() => undefined))?.close();
    },
  };
}

type Listening = Listener & { certificate: Certificate | undefined };

/** Those that are there and those to come. */
type Streams = { context: PodContext; limits: StreamingLimits; tokens: Tokens<StreamAsk>; sessions: Set<Session> };

async function serve(streams: Streams, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => undefined);
  const [, kind, token = ''] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
  const ask = streams.tokens.take(token);
  if (ask?.kind !== kind || !ask) {
    const message = `unknown, used or expired: ask for a new URL ${byLimit(streams.limits, 'tokenLifeMs')}`;
    return refuse(socket, { status: 404, message });
  }
  const upgraded = upgradeOf(ask.kind, request.headers);
  if ('status' in upgraded) return refuse(socket, upgraded);
  const full = fullness(streams);
  if (full) return refuse(socket, { status: 503, message: full });
  const session = openStream(streams, ask, socket);
  const { serveStream } = await import('./serve.ts');
  (socket as Socket).setKeepAlive(true, streams.limits.beatMs);
  socket.write(upgraded.head);
  if (head.length > 0) socket.unshift(head);
  await serveStream(streams.context, ask, { ...upgraded, socket }, session);
}

function openStream({ context, limits, sessions }: Streams, ask: StreamAsk, socket: Duplex): Session {
  const fromMs = performance.now();
  const session = openSession(socket, limits);
  sessions.add(session);
  context.meter.count('stream_sessions');
  void session.closed.then(() => {
    sessions.delete(session);
    const { message } = session.signal.reason as Error;
    const id = ask.kind === 'portforward' ? ask.sandboxId : ask.containerId;
    context.log.debug('stream ended', { kind: ask.kind, id, message, seconds: (performance.now() - fromMs) / 1000 });
  });
  return session;
}

/** Why no more sessions are taken, if so. */
function fullness({ context, limits, sessions }: Streams): string | undefined {
  if (sessions.size < limits.maxSessions) return undefined;
  context.meter.limit('maxSessions');
  return `too many streams are open: end one of them ${byLimit(limits, 'maxSessions')}`;
}
