import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type ControlRpcs, controlService } from '../api/control.ts';
import { definitions, type ImageServiceRpcs, type RuntimeServiceRpcs } from '../api/cri.ts';
import type { Service } from '../api/proto.ts';
import { type CallReport, type Handler, clientStream, type HandlerOf, serverStream, unary } from './call.ts';
import { acceptConnections, type Connections } from './connections.ts';
import { MAX_REPLY_BYTES } from './reply-limit.ts';
import { claimSocket, handedClaim } from './socket.ts';

/** Handlers by rpc; one that is left out answers UNIMPLEMENTED. */
export type RuntimeHandlers = { [Name in keyof RuntimeServiceRpcs]?: Handler<Name> };
export type ImageHandlers = { [Name in keyof ImageServiceRpcs]?: Handler<Name> };
export type ControlHandlers = { [Name in keyof ControlRpcs]?: HandlerOf<ControlRpcs[Name]> };

/** What a CRI server is made of. */
export type ServerParts = CallReport & {
  /** Unix socket, as a path or `unix:///path`; made 0600. */
  listen: string;
  /** Descriptor of a listening socket to serve instead. */
  handed?: number | undefined;
  runtime: RuntimeHandlers;
  image: ImageHandlers;
  /** For the command-line client. */
  control: ControlHandlers;
};

/** A listening server. */
export type CriServer = {
  /** Takes no new calls and gives those that run `graceMs`, then cuts them off. A second close joins the first. */
  close(graceMs: number): Promise<void>;
};

const options = {
  // The kubelet sends at most 16 MiB; it also receives no more, but other clients do.
  'grpc.max_receive_message_length': 16 << 20,
  'grpc.max_send_message_length': MAX_REPLY_BYTES,
  // Of one connection: more calls wait at the client.
  'grpc.max_concurrent_streams': 1000,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.enable_channelz': 0,
};

/** Serves the CRI and Control; returns once clients can connect. Errors: those of `claimSocket`. */
export async function startServer({ listen, handed, runtime, image, control, ...report }: ServerParts): Promise<CriServer> {
  const server = new Server(options);
  const { runtimeService, imageService } = definitions();
  register(server, runtimeService, runtime, report);
  register(server, imageService, image, report);
  register(server, controlService(), control, report);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const socket = handed === undefined ? await claimSocket(listen) : handedClaim(handed);
  const connections = await acceptConnections({ at: socket.at, serve: injector.injectConnection, log: report.log, limit: report.limit }).catch(
    (error: unknown) => {
      socket.withdraw();
      throw error;
    },
  );
  socket.publish();
  let closed: Promise<void> | undefined;
  const close = (graceMs: number): Promise<void> => {
    closed ??= shutDown(server, connections, graceMs).then(socket.withdraw);
    return closed;
  };
  return { close };
}

const wrap = { unary, serverStream, clientStream };

function register<R>(server: Server, service: Service<R>, handlers: object, report: CallReport): void {
  const methods = service as Service<Record<string, unknown>>;
  for (const [name, handler] of Object.entries(handlers)) {
    const method = methods[name];
    if (method === undefined || handler === undefined) continue;
    const { path, responseSerialize: encode, requestDeserialize } = method;
    const type = method.requestStream ? 'clientStream' : method.responseStream ? 'serverStream' : 'unary';
    server.register(path, wrap[type]({ name, encode }, handler, report), encode, requestDeserialize, type);
  }
}

/** Every client learns that no more calls are taken and gets the answers to those that it made. */
async function shutDown(server: Server, connections: Connections, graceMs: number): Promise<void> {
  const ended = connections.close();
  // It would say when it is done, but does so at once: Node has begun to close the sessions by then.
  server.tryShutdown(() => {});
  const last = setTimeout(connections.cut, graceMs);
  await ended;
  clearTimeout(last);
}
