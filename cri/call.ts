import type { EventEmitter } from 'node:events';
import { type handleClientStreamingCall, type handleServerStreamingCall, type handleUnaryCall, Metadata, type sendUnaryData, type ServerWritableStream, status } from '@grpc/grpc-js';
import type { ClientStreamRpc } from '../api/control.ts';
import type { Draft, Rpc, Rpcs, StreamRpc } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';
import { wallClockMs } from '../host/clock.ts';
import { logCall, withRequest } from './call-log.ts';
import { refuseLarge } from './reply-limit.ts';
import { type CallStatus, codeName, statusOf } from './status.ts';

/** What a handler knows about its call besides the request. */
export type CallContext = {
  /** Aborts when the caller's deadline passes (reason: kind `timeout`) or the caller goes away (kind `cancelled`). */
  signal: AbortSignal;
  /** Carries the request id into every line. */
  log: Log;
  requestId: string;
  /** When the caller gives up, in milliseconds since 1970; Infinity when it does not. */
  deadlineMs: number;
};

/** A reply, or the bytes of one. */
export type Answer<Reply> = Draft<Reply> | Buffer;

/** Answers one rpc; a stream yields its replies and ends with the iterator, which has to watch `context.signal`. */
export type HandlerOf<R> =
  R extends StreamRpc<infer Request, infer Reply>
    ? (request: Request, context: CallContext) => AsyncIterable<Answer<Reply>>
    : R extends Rpc<infer Request, infer Reply>
      ? (request: Request, context: CallContext) => Promise<Answer<Reply>>
      : R extends ClientStreamRpc<infer Request, infer Reply>
        ? (requests: AsyncIterable<Request>, context: CallContext) => Promise<Answer<Reply>>
        : never;

/** Answers the CRI's rpc of that name. */
export type Handler<Name extends keyof Rpcs> = HandlerOf<Rpcs[Name]>;

/** Where finished calls are reported. */
export type CallReport = {
  log: Log;
  /** A call of that rpc has come. */
  called: (method: string) => void;
  /** One finished call: rpc, gRPC code as `NOT_FOUND`, seconds. */
  rpc: (method: string, code: string, seconds: number) => void;
  /** A call was refused by the limit of that name. */
  limit: (name: string) => void;
};

/** Wraps a handler that gives one reply. */
export function unary(rpc: Served, handler: UnaryHandler, report: CallReport): handleUnaryCall<object, Reply> {
  return (call, callback) => {
    void answer(rpc, begin(rpc.name, call, report), (context) => handler(call.request, context), callback);
  };
}

/** Wraps a handler that reads a stream of requests, as fast as it reads. */
export function clientStream(rpc: Served, handler: RequestsHandler, report: CallReport): handleClientStreamingCall<object, Reply> {
  return (call, callback) => {
    const begun = begin(rpc.name, Object.assign(call, { request: {} }), report);
    void answer(rpc, begun, (context) => handler(call, context), callback);
  };
}

/** Answers with the one reply that `work` gives. */
async function answer(
  { encode }: Served,
  { context, end }: Begun,
  work: (context: CallContext) => Promise<Reply>,
  callback: sendUnaryData<Reply>,
): Promise<void> {
  try {
    const reply = encode(await work(context));
    refuseLarge(reply.length);
    end();
    callback(null, reply);
  } catch (error) {
    callback(end(error));
  }
}

/** Wraps a handler that gives a stream of replies, written as fast as the caller reads. */
export function serverStream(
  rpc: Served,
  handler: StreamHandler,
  report: CallReport,
): handleServerStreamingCall<object, Reply> {
  return async (call) => {
    const { context, end } = begin(rpc.name, call, report);
    try {
      const replies = handler(call.request, context);
      // The headers tell a caller who waits for news that it is heard; of some streams nothing else comes for long.
      call.sendMetadata(new Metadata());
      for await (const reply of replies) {
        context.signal.throwIfAborted();
        await written(call, rpc.encode(reply), context.signal);
      }
      end();
      call.end();
    } catch (error) {
      call.emit('error', end(error));
    }
  };
}

/** Resolves when the caller takes the reply: of a stream that nobody reads no more than one waits. Throws when `signal` aborts. */
function written(call: ServerWritableStream<object, Reply>, reply: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    call.write(reply, () => {
      signal.removeEventListener('abort', aborted);
      resolve();
    });
  });
}

/** An rpc by its name, with what turns its replies into bytes. */
export type Served = { name: string; encode: (reply: Reply) => Buffer };

type Reply = object | Buffer;
type UnaryHandler = (request: object, context: CallContext) => Promise<Reply>;
type RequestsHandler = (requests: AsyncIterable<object>, context: CallContext) => Promise<Reply>;
type StreamHandler = (request: object, context: CallContext) => AsyncIterable<Reply>;
type Call = EventEmitter & { request: object; getDeadline(): Date | number };

type Begun = { context: CallContext; end: (error?: unknown) => CallStatus };

/** Sets up a call's context; `end` reports how the call ended, once, and turns an error into its answer. */
function begin(method: string, call: Call, report: CallReport): Begun {
  const from = performance.now();
  report.called(method);
  const abort = new AbortController();
  const requestId = nextRequestId();
  const deadlineMs = Number(call.getDeadline());
  const patienceMs = deadlineMs - wallClockMs();
  let ended = false;
  // grpc-js keeps the deadline's timer and says `cancelled` for every end of a call, the good one too.
  call.once('cancelled', () => {
    if (!ended) abort.abort(abandoned(method, performance.now() - from, patienceMs));
  });
  const context = { signal: abort.signal, log: withRequest(report.log, method, requestId), requestId, deadlineMs };

  function end(error?: unknown): CallStatus {
    ended = true;
    // The caller has had its answer when the signal is aborted; what the handler made of it does not count.
    const failure = abort.signal.aborted ? abort.signal.reason : error;
    const answer: CallStatus = failure === undefined ? { code: status.OK, details: '' } : statusOf(failure);
    const milliseconds = performance.now() - from;
    if (failure instanceof RuntimeError && failure.limit !== undefined) report.limit(failure.limit);
    report.rpc(method, codeName(answer.code), milliseconds / 1000);
    logCall(context.log, { method, request: call.request, ...answer, milliseconds });
    return answer;
  }
  return { context, end };
}

/** A caller's own deadline timer may take the call back a little before ours fires. */
const CLOCK_SLACK_MS = 100;

function abandoned(method: string, afterMs: number, patienceMs: number): RuntimeError {
  const after = `after ${(afterMs / 1000).toFixed(1)} s`;
  return afterMs >= patienceMs - CLOCK_SLACK_MS
    ? new RuntimeError('timeout', `${method}: the caller's deadline passed ${after}`)
    : new RuntimeError('cancelled', `${method}: the caller went away ${after}`);
}

const processTag = Math.floor(Math.random() * 0x1_0000)
  .toString(16)
  .padStart(4, '0');
let requests = 0;

/** Unique in the process and unlikely to repeat in the next: `3fa2-17`. */
function nextRequestId(): string {
  return `${processTag}-${++requests}`;
}
