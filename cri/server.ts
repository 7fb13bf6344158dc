import { type ConnectionInjector, Server, ServerCredentials } from '@grpc/grpc-js';
import { type ControlRpcs, controlService } from '../api/control.ts';
import { type ImageServiceRpcs, imageService, type RuntimeServiceRpcs, runtimeService } from '../api/cri.ts';
import type { Service } from '../api/proto.ts';
import { type CallReport, type Handler, type HandlerOf, serverStream, unary } from './call.ts';
import { acceptConnections } from './connections.ts';
import { claimSocket } from './socket.ts';

/** Handlers by rpc; one that is left out answers UNIMPLEMENTED. */
export type RuntimeHandlers = { [Name in keyof RuntimeServiceRpcs]?: Handler<Name> };
export type ImageHandlers = { [Name in keyof ImageServiceRpcs]?: Handler<Name> };
export type ControlHandlers = { [Name in keyof ControlRpcs]?: HandlerOf<ControlRpcs[Name]> };

/** What a CRI server is made of. */
export type ServerParts = CallReport & {
  /** Unix socket, as a path or `unix:///path`; made 0600. */
  listen: string;
  runtime: RuntimeHandlers;
  image: ImageHandlers;
  /** For the command-line client. */
  control: ControlHandlers;
  /** A client was turned away by the limit of that name. */
  limit: (name: string) => void;
};

/** A listening server. */
export type CriServer = {
  /** Takes no new calls and gives those that run `graceMs`, then cuts them off. A second close joins the first. */
  close(graceMs: number): Promise<void>;
};

/** How long clients that were cut off may take to end their side of the connection, in milliseconds. */
const CUT_MS = 200;

const options = {
  // The kubelet sends at most 16 MiB; it also receives no more, but other clients do.
  'grpc.max_receive_message_length': 16 << 20,
  'grpc.max_send_message_length': 80 << 20,
  // Of one connection: more calls wait at the client.
  'grpc.max_concurrent_streams': 1000,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.enable_channelz': 0,
};

/** Serves the CRI and Control; returns once clients can connect. Errors: those of `claimSocket`. */
export async function startServer({ listen, runtime, image, control, limit, ...report }: ServerParts): Promise<CriServer> {
  const server = new Server(options);
  register(server, runtimeService, runtime, report);
  register(server, imageService, image, report);
  register(server, controlService, control, report);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const socket = await claimSocket(listen);
  const listening = await acceptConnections({ path: socket.bindPath, serve: injector.injectConnection, log: report.log, limit }).catch(
    (error: unknown) => {
      socket.withdraw();
      throw error;
    },
  );
  socket.publish();
  let closed: Promise<void> | undefined;
  const close = (graceMs: number): Promise<void> => {
    listening.close();
    closed ??= shutDown(server, injector, graceMs).then(socket.withdraw);
    return closed;
  };
  return { close };
}

function register<R>(server: Server, service: Service<R>, handlers: object, report: CallReport): void {
  const methods = service as Service<Record<string, unknown>>;
  for (const [name, handler] of Object.entries(handlers)) {
    const method = methods[name];
    if (method === undefined || handler === undefined) continue;
    const { path, responseSerialize: encode, requestDeserialize, responseStream } = method;
    const wrapped = (responseStream ? serverStream : unary)({ name, encode }, handler, report);
    server.register(path, wrapped, encode, requestDeserialize, responseStream ? 'serverStream' : 'unary');
  }
}

function shutDown(server: Server, injector: ConnectionInjector, graceMs: number): Promise<void> {
  return new Promise((settle) => {
    // Of a session that closes Node ends only its own side, so a client that hangs would be waited for without end.
    const last = setTimeout(settle, graceMs + CUT_MS);
    // In this order: drain forgets sessions that are closing already, and forceShutdown knows none without channelz.
    injector.drain(graceMs);
    server.tryShutdown(() => {
      clearTimeout(last);
      settle();
    });
  });
}
