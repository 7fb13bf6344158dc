import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, type ClientReadableStream, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { type ClientStreamRpc, type ControlRpcs, controlService } from '../api/control.ts';
import { definitions, type Draft, type Rpc, type Rpcs, type StreamRpc } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';

type AllRpcs = Rpcs & ControlRpcs;
type Unary = { [Name in keyof AllRpcs]: AllRpcs[Name] extends Rpc<unknown, unknown> ? Name : never }[keyof AllRpcs];
type Sent = { [Name in keyof AllRpcs]: AllRpcs[Name] extends ClientStreamRpc<unknown, unknown> ? Name : never }[keyof AllRpcs];
type Streamed = { [Name in keyof AllRpcs]: AllRpcs[Name] extends StreamRpc<unknown, unknown> ? Name : never }[keyof AllRpcs];

/** The daemon as its clients see it: the CRI and Control. Errors: `unavailable` when none answers, else its own words. */
export type Daemon = {
  call<Name extends Unary>(name: Name, request: Draft<AllRpcs[Name]['request']>): Promise<AllRpcs[Name]['reply']>;
  /** The replies as they come; the daemon waits for who reads slowly. */
  stream<Name extends Streamed>(name: Name, request: Draft<AllRpcs[Name]['request']>): AsyncIterable<AllRpcs[Name]['reply']>;
  /** Sends the requests as fast as the daemon reads them. */
  send<Name extends Sent>(name: Name, requests: AsyncIterable<Draft<AllRpcs[Name]['request']>>): Promise<AllRpcs[Name]['reply']>;
  close(): void;
};

const methods = { ...definitions().runtimeService, ...definitions().imageService, ...controlService() };

const options = {
  'grpc.max_receive_message_length': 80 << 20,
  'grpc.default_authority': 'localhost',
  'grpc.enable_channelz': 0,
};

/** The daemon that listens on that unix socket, a path or `unix:///path`; it is connected to at the first call. */
export function connect(socket: string): Daemon {
  const path = socket.replace(/^unix:(\/\/(?=\/))?/, '');
  const client = new Client(`unix:${path}`, credentials.createInsecure(), options);
  return {
    call: <Name extends Unary>(name: Name, request: object) =>
      new Promise<AllRpcs[Name]['reply']>((settle, fail) => {
        const { path: rpc, requestSerialize, responseDeserialize } = methods[name];
        const done = (error: ServiceError | null, reply?: object): void =>
          error === null ? settle(reply as AllRpcs[Name]['reply']) : fail(failure(error, path));
        client.makeUnaryRequest(rpc, requestSerialize, responseDeserialize as (bytes: Buffer) => object, request, done);
      }),
    stream: <Name extends Streamed>(name: Name, request: object) => {
      const { path: rpc, requestSerialize, responseDeserialize } = methods[name];
      const replies = client.makeServerStreamRequest(rpc, requestSerialize, responseDeserialize as (bytes: Buffer) => object, request);
      // One that comes before anybody reads would be lost, and what was told until then be taken for all.
      const told: { failure?: ServiceError } = {};
      replies.on('error', (error: ServiceError) => {
        told.failure ??= error;
      });
      return repliesOf(replies as ClientReadableStream<AllRpcs[Name]['reply']>, told, path);
    },
    send: <Name extends Sent>(name: Name, requests: AsyncIterable<object>) =>
      new Promise<AllRpcs[Name]['reply']>((settle, fail) => {
        const { path: rpc, requestSerialize, responseDeserialize } = methods[name];
        const done = (error: ServiceError | null, reply?: object): void =>
          error === null ? settle(reply as AllRpcs[Name]['reply']) : fail(failure(error, path));
        const call = client.makeClientStreamRequest(rpc, requestSerialize, responseDeserialize as (bytes: Buffer) => object, done);
        // What the daemon has to say of a call that it ended is told by `done`.
        pipeline(Readable.from(requests), call as unknown as Writable).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ERR_STREAM_DESTROYED') return;
          call.cancel();
          fail(new RuntimeError('internal', error.message, error));
        });
      }),
    close: () => client.close(),
  };
}

async function* repliesOf<Reply>(replies: ClientReadableStream<Reply>, told: { failure?: ServiceError }, path: string): AsyncGenerator<Reply> {
  try {
    yield* replies as AsyncIterable<Reply>;
    if (told.failure !== undefined) throw told.failure;
  } catch (error) {
    throw failure(error as ServiceError, path);
  } finally {
    replies.cancel();
  }
}

function failure(error: ServiceError, path: string): RuntimeError {
  if (error.code !== status.UNAVAILABLE || !error.details.startsWith('No connection established')) {
    return new RuntimeError('internal', error.details || error.message, error);
  }
  const advice = /EACCES|EPERM/.test(error.details)
    ? 'this user may not connect to it: run this as root'
    : 'start berthd, or name its socket by --socket';
  return new RuntimeError('unavailable', `no daemon answers on ${path}: ${advice}`, error);
}
