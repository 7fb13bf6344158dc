import { join } from 'node:path';
import { Client, type ClientReadableStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import type { Replies, StreamReplies } from './replies.ts';
import { repository } from './paths.ts';

/** A raw CRI client: requests are plain objects as `api/runtime.proto` says, 64-bit integers decimal strings. */
export type Cri = {
  /** One unary call; rejects with grpc-js's ServiceError, whose `code` is the gRPC status. */
  readonly call: <M extends keyof Replies>(method: M, request: object, deadlineMs?: number) => Promise<Replies[M]>;
  /** One call that answers with a stream; it reads only when it is read. */
  readonly stream: <M extends keyof StreamReplies>(method: M, request: object) => ClientReadableStream<StreamReplies[M]>;
  /** Ids of all pods and containers that this client made or was told of. */
  readonly ids: Set<string>;
  readonly close: () => void;
};

const loaded = loadSync(join(repository, 'api/runtime.proto'), {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: true,
});
const services = [loaded['runtime.v1.RuntimeService'], loaded['runtime.v1.ImageService']] as ServiceDefinition[];

/**
 * A client for the runtime at a unix socket; connects when first used and again after a restart. It takes answers of any
 * size unless `maxReplyBytes` says otherwise, and has a connection of its own only if so wished.
 */
export function connectCri(socket: string, { maxReplyBytes = -1, ownConnection = false } = {}): Cri {
  const client = new Client(`unix://${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': maxReplyBytes,
    'grpc.use_local_subchannel_pool': ownConnection ? 1 : 0,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 100,
    'grpc.default_authority': 'localhost',
  });
  const ids = new Set<string>();
  const call: Cri['call'] = async (method, request, deadlineMs = 120_000) => {
    const reply = await unary(client, methodNamed(method), request, deadlineMs);
    for (const id of [reply['pod_sandbox_id'], reply['container_id']]) if (typeof id === 'string') ids.add(id);
    return reply as Replies[typeof method];
  };
  const stream: Cri['stream'] = (method, request) => {
    const { path, requestSerialize, responseDeserialize } = methodNamed(method);
    type Reply = StreamReplies[typeof method];
    const read = responseDeserialize as (bytes: Buffer) => Reply;
    return client.makeServerStreamRequest<object, Reply>(path, requestSerialize, read, request);
  };
  return {
    call,
    stream,
    ids,
    close: () => {
      client.close();
    },
  };
}

function methodNamed(name: string): MethodDefinition<object, object> {
  const found = services.map((service) => service[name]).find((method) => method !== undefined);
  if (found === undefined) throw new Error(`api/runtime.proto has no RPC ${name}`);
  return found;
}

function unary(
  client: Client,
  method: MethodDefinition<object, object>,
  request: object,
  deadlineMs: number,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + deadlineMs };
    const done = (error: ServiceError | null, reply?: object) => {
      if (error === null) resolve({ ...reply });
      else reject(error);
    };
    client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, request, options, done);
  });
}
