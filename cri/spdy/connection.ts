import { Duplex } from 'node:stream';
import { dataHead, type Frame, frameReader, goAwayFrame, pingFrame, RESET, replyFrame, resetFrame } from './frame.ts';
import { emptyBlock, type Headers, headerReader } from './header.ts';

/** A stream that the client has opened. Destroying `body` before both sides have ended resets it. */
export type SpdyStream = { id: number; headers: Headers; body: Duplex };

/** The server's side of a SPDY connection. */
export type Spdy = {
  /** Asks the client for a sign of life, which also shows a dead one: the write to it fails. */
  ping(): void;
  /** Resets what is open, says that no more streams are taken and ends the transport. */
  close(): void;
};

/** Most streams at a time. */
export const MAX_STREAMS = 512;

/** Unread bytes of one stream at which no more is read from the transport, for the others neither. */
const STREAM_BUFFER_BYTES = 256 << 10;

/** Most answers to control frames that a client may leave unread. */
const MAX_UNSENT_ANSWERS = 1024;

/** A stream, and whether its client still writes. */
type Open = { body: Duplex; receiving: boolean };

type Connection = {
  transport: Duplex;
  accept: (stream: SpdyStream) => boolean;
  headersOf: (block: Buffer) => Headers;
  streams: Map<number, Open>;
  /** Streams whose buffers are full; while there is one, the transport is paused. */
  full: Set<number>;
  lastStream: number;
  unsentAnswers: number;
};

/**
 * Serves SPDY/3.1 on a transport whose first frame is still to come. `accept` gets each stream as it is opened and
 * returns false to refuse it. There are no windows: the clients of Kubernetes neither keep nor grant any, so that
 * back-pressure is the transport's own. A client that breaks the protocol has its transport destroyed.
 */
export function serveSpdy(transport: Duplex, accept: (stream: SpdyStream) => boolean): Spdy {
  const streams = new Map<number, Open>();
  const full = new Set<number>();
  const connection: Connection = {
    transport,
    accept,
    headersOf: headerReader(),
    streams,
    full,
    lastStream: 0,
    unsentAnswers: 0,
  };
  const read = frameReader();
  transport.on('data', (chunk: Buffer) => {
    try {
      for (const frame of read(chunk)) handle(connection, frame);
      if (full.size > 0) transport.pause();
    } catch (error) {
      transport.destroy(error as Error);
    }
  });
  transport.on('end', () => {
    if (!transport.writableEnded) transport.destroy();
  });
  transport.on('error', () => undefined);
  const destroyStreams = (): void => [...streams.values()].forEach(({ body }) => void body.destroy());
  transport.once('close', destroyStreams);

  let lastPing = 0;
  return {
    ping: () => {
      lastPing = (lastPing + 2) & 0x7fff_fffe;
      if (transport.writable) transport.write(pingFrame(lastPing));
    },
    close: () => {
      if (!transport.writable) return;
      destroyStreams();
      transport.end(goAwayFrame(connection.lastStream));
    },
  };
}

function handle(connection: Connection, frame: Frame): void {
  if (frame.type === 'open') open(connection, frame);
  else if (frame.type === 'ping' && frame.id % 2 === 1) answer(connection, pingFrame(frame.id));
  else if ('stream' in frame) handleOfStream(connection, frame);
}

function handleOfStream(connection: Connection, frame: Frame & { type: 'data' | 'headers' | 'reset' }): void {
  // Read even for a stream that is gone: later blocks refer to it.
  if (frame.type === 'headers') connection.headersOf(frame.block);
  const stream = connection.streams.get(frame.stream);
  if (!stream) return;
  if (frame.type === 'reset') {
    connection.streams.delete(frame.stream);
    stream.body.destroy();
    return;
  }
  if (frame.type === 'data' && frame.bytes.length > 0 && stream.receiving) {
    if (!stream.body.push(frame.bytes)) connection.full.add(frame.stream);
  }
  if (frame.fin) endInput(stream);
}

function open(connection: Connection, { stream: id, block, fin }: Frame & { type: 'open' }): void {
  const { streams } = connection;
  const headers = connection.headersOf(block);
  const refused = id % 2 === 0 || id <= connection.lastStream ? RESET.protocolError : RESET.refused;
  if (refused === RESET.protocolError || streams.size >= MAX_STREAMS) {
    answer(connection, resetFrame(id, refused));
    return;
  }
  const first = connection.lastStream === 0;
  connection.lastStream = id;
  const stream = { body: streamBody(connection, id), receiving: true };
  streams.set(id, stream);
  answer(connection, replyFrame(id, emptyBlock(first)));
  if (!connection.accept({ id, headers, body: stream.body })) stream.body.destroy();
  else if (fin) endInput(stream);
}

function streamBody(connection: Connection, id: number): Duplex {
  const { transport, streams, full } = connection;
  const makeRoom = (): void => {
    if (full.delete(id) && full.size === 0) transport.resume();
  };
  const body = new Duplex({
    readableHighWaterMark: STREAM_BUFFER_BYTES,
    read: makeRoom,
    write: (bytes: Buffer, _, done) => send(transport, { head: dataHead(id, bytes.length, false), bytes, done }),
    final: (done) => void transport.write(dataHead(id, 0, true), done),
    destroy: (error, done) => {
      const stream = streams.get(id);
      streams.delete(id);
      const isOver = !stream?.receiving && body.writableFinished;
      if (stream && !isOver && transport.writable) transport.write(resetFrame(id, RESET.cancel));
      makeRoom();
      done(error);
    },
  });
  return body.on('error', () => undefined);
}

function endInput(stream: Open): void {
  if (stream.receiving) stream.body.push(null);
  stream.receiving = false;
}

function answer(connection: Connection, frame: Buffer): void {
  connection.unsentAnswers++;
  if (connection.unsentAnswers > MAX_UNSENT_ANSWERS) throw new RangeError('a SPDY client that reads no answers');
  connection.transport.write(frame, () => void connection.unsentAnswers--);
}

type Piece = { head: Buffer; bytes: Buffer; done: (error?: Error | null) => void };

function send(transport: Duplex, { head, bytes, done }: Piece): void {
  transport.cork();
  transport.write(head);
  transport.write(bytes, done);
  transport.uncork();
}
