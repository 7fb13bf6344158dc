import { connect, type Socket } from 'node:net';
import { isKind, RuntimeError } from '../../api/errors.ts';
import { encodeFrame, frameReader, MAX_FRAME_BYTES, type Reply } from '../../api/frame.ts';
import { SHIM_PROTOCOLS, type ShimCalls, type ShimEvents } from '../../api/shim.ts';
import { pendingCalls } from '../../host/pending.ts';

export type Hello = ShimCalls['hello']['reply'];

/** How long a shim may take for what it does itself, in milliseconds; what it runs has its own limit, `timeoutMs`. */
const ANSWER_TIMEOUT_MS = 15_000;

/** The control connection to one pod's shim; a call that gets no answer in time fails as `timeout`. */
export type Shim = {
  hello: Hello;
  call<N extends keyof ShimCalls>(name: N, ask: ShimCalls[N]['ask']): Promise<ShimCalls[N]['reply']>;
  close(): void;
  /** Gives up a shim that does not answer: as if it had ended. */
  abandon(): void;
};

/** An exit with its place among the news of its shim. */
export type NumberedExit = ShimEvents['exit'] & { seq: number };

/** What a shim tells unasked. */
export type ShimListener = {
  onExit(event: NumberedExit): void;
  onLogLost(event: ShimEvents['logLost']): void;
  /** The connection ended without `close`: the shim is gone. */
  onGone(): void;
};

/**
 * Connects to the shim on `socket` and asks for the events after `sinceSeq`. Throws `unavailable` when nobody listens,
 * `wrong-state` when it speaks no protocol that this release does.
 */
export async function connectShim(socket: string, sinceSeq: number, listener: ShimListener): Promise<Shim> {
  const connection = await dial(socket);
  const pending = pendingCalls('shim');
  const reader = frameReader();
  let closed = false;
  const take = (message: object): void => {
    if (!('event' in message)) pending.settle(message as Reply);
    else if (message.event === 'exit') listener.onExit(message as unknown as NumberedExit);
    else if (message.event === 'logLost') listener.onLogLost(message as unknown as ShimEvents['logLost']);
  };
  connection.on('data', (chunk: Buffer) => {
    try {
      reader.feed(chunk).forEach(take);
    } catch (error) {
      connection.destroy(error as Error);
    }
  });
  connection.on('error', () => undefined);
  connection.on('close', () => {
    pending.fail('the shim ended');
    if (!closed) listener.onGone();
  });
  const call = async (name: string, ask: Record<string, unknown>): Promise<Record<string, unknown>> => {
    if (connection.destroyed) throw new RuntimeError('unavailable', `shim, ${name}: it has ended`);
    const { answer } = pending.ask(name, ask, (frame) => void connection.write(encodeFrame(frame)));
    return await within(Number(ask['timeoutMs'] ?? 0) + ANSWER_TIMEOUT_MS, answer, `shim on ${socket}, ${name}`);
  };
  const hello = (await call('hello', greeting(sinceSeq)).catch((error: unknown) => {
    closed = true;
    connection.destroy();
    throw foreign(error, socket);
  })) as unknown as Hello;
  return {
    hello,
    call: call as Shim['call'],
    close: () => {
      closed = true;
      connection.destroy();
    },
    abandon: () => void connection.destroy(),
  };
}

function greeting(sinceSeq: number): ShimCalls['hello']['ask'] {
  return { protocol: SHIM_PROTOCOLS.oldest, speaks: SHIM_PROTOCOLS, sinceSeq };
}

/** A refused hello as what it means for who wants something of the pod; any other failure as it is. */
function foreign(error: unknown, socket: string): unknown {
  if (!isKind(error, 'unsupported')) return error;
  const todo = 'nothing can be done to this pod, which runs on: start a release of berthd that speaks with it, or end the shim to give the pod up';
  return new RuntimeError('wrong-state', `shim on ${socket} refuses ${error.message}; ${todo}`, error);
}

/** How long the start of an exec may take, with the OCI runtime's part of it, in milliseconds. */
const STREAM_TIMEOUT_MS = 120_000 + ANSWER_TIMEOUT_MS;

function within<T>(limitMs: number, answer: Promise<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new RuntimeError('timeout', `${what}: no answer in ${limitMs} ms`)), limitMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A connection to `socket`, past the hello and one call, whose further bytes are packets (those of a port after `dial`). Aborting `signal` closes it. */
export async function openStream<N extends 'exec' | 'attach' | 'dial'>(
  socket: string,
  name: N,
  ask: ShimCalls[N]['ask'],
  signal?: AbortSignal,
): Promise<{ reply: ShimCalls[N]['reply']; connection: Socket; first: Buffer }> {
  signal?.throwIfAborted();
  const hello = encodeFrame({ ...greeting(-1), id: 1, call: 'hello' });
  const request = encodeFrame({ ...ask, id: 2, call: name });
  const connection = await dial(socket, name === 'dial');
  const abort = (): void => void connection.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  const frames = firstFrames(connection, 2);
  connection.write(Buffer.concat([hello, request]));
  try {
    const { replies, rest } = await within(STREAM_TIMEOUT_MS, frames, `shim on ${socket}, ${name}`);
    signal?.throwIfAborted();
    const pending = pendingCalls('shim');
    const answers = [pending.ask('hello', {}, noop).answer, pending.ask(name, {}, noop).answer] as const;
    for (const reply of replies) pending.settle(reply);
    answers[1].catch(noop);
    await answers[0].catch((error: unknown) => Promise.reject(foreign(error, socket)));
    const reply = await answers[1];
    return { reply: reply as unknown as ShimCalls[N]['reply'], connection, first: rest };
  } catch (error) {
    connection.destroy();
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

const noop = (): void => undefined;

/** Reads `count` frames and leaves the bytes behind them unread. */
function firstFrames(connection: Socket, count: number): Promise<{ replies: Reply[]; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const onClose = (): void => reject(new RuntimeError('unavailable', 'the shim ended before it answered'));
    const split = (): ReturnType<typeof splitFrames> => {
      try {
        return splitFrames(bytes, count);
      } catch (error) {
        reject(error);
        connection.destroy();
        return null;
      }
    };
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const parsed = split();
      if (!parsed) return;
      connection.pause();
      connection.off('data', onData);
      connection.off('close', onClose);
      resolve(parsed);
    };
    connection.on('data', onData);
    connection.on('error', noop);
    connection.on('close', onClose);
  });
}

function splitFrames(bytes: Buffer, count: number): { replies: Reply[]; rest: Buffer } | null {
  const replies: Reply[] = [];
  let at = 0;
  while (replies.length < count) {
    if (bytes.length < at + 4) return null;
    const length = bytes.readUInt32LE(at);
    if (length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${length} bytes, at most ${MAX_FRAME_BYTES}`);
    const end = at + 4 + length;
    if (bytes.length < end) return null;
    const reply = JSON.parse(bytes.toString('utf8', at + 4, end)) as Reply;
    replies.push(reply);
    at = end;
    if ('error' in reply) return { replies: [...replies, ...failedToo(replies, count, reply)], rest: bytes.subarray(at) };
  }
  return { replies, rest: bytes.subarray(at) };
}

/** After a refused first call there is no answer to the second: it failed for the same reason. */
function failedToo(replies: Reply[], count: number, refused: Reply): Reply[] {
  return replies.length < count ? [{ ...refused, id: refused.id + 1 }] : [];
}

/** Connects; with `allowHalfOpen` the other side's end does not end ours. */
function dial(socket: string, allowHalfOpen = false): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const connection = connect({ path: socket, allowHalfOpen });
    connection.once('connect', () => resolve(connection));
    connection.once('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
      reject(new RuntimeError(gone ? 'unavailable' : 'internal', `no shim listens on ${socket}: ${error.message}`, error));
    });
  });
}
