import { Duplex, type Writable } from 'node:stream';
import { frameHead, frameReader, OPCODE, type Opcode } from './frame.ts';

/** Gets a client's messages in pieces, `first` or later; returns false when it wants no more before `resume`. */
export type OnPiece = (bytes: Buffer, first: boolean) => boolean;

/** The server's side of a WebSocket connection (RFC 6455). */
export type WebSocket = {
  /** Sends one message of these parts; `done` once the socket has taken it. */
  send(parts: readonly Buffer[], done: (error?: Error | null) => void): void;
  /** Reads on after `onPiece` returned false. */
  resume(): void;
  /** Asks the client for a sign of life, which also shows a dead one: the write to it fails. */
  ping(): void;
  /** Says goodbye and ends the socket. */
  close(): void;
};

/** Close code of a connection that has done what it was for (section 7.4.1). */
const NORMAL = 1000;

/** Most pongs that a client may leave unread. */
const MAX_UNSENT_PONGS = 64;

/** Serves an upgraded socket; `text` messages or binary ones are sent. A client that breaks the protocol is cut off. */
export function serveWebSocket(socket: Duplex, { text, onPiece }: { text: boolean; onPiece: OnPiece }): WebSocket {
  const read = frameReader();
  let unsentPongs = 0;

  function pong(bytes: Buffer): void {
    if (unsentPongs >= MAX_UNSENT_PONGS) return;
    unsentPongs++;
    write(socket, OPCODE.pong, [bytes], () => void unsentPongs--);
  }

  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of read(chunk)) {
        if (frame.type === 'piece' && !onPiece(frame.bytes, frame.first)) socket.pause();
        else if (frame.type === 'ping') pong(frame.bytes);
        else if (frame.type === 'close') close(socket);
      }
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  socket.on('end', () => {
    if (!socket.writableEnded) socket.destroy();
  });
  socket.on('error', () => undefined);

  return {
    send: (parts, done) => write(socket, text ? OPCODE.text : OPCODE.binary, parts, done),
    resume: () => void socket.resume(),
    ping: () => write(socket, OPCODE.ping, [], () => undefined),
    close: () => close(socket),
  };
}

/** The bytes of all messages as one stream both ways, each write a message (Kubernetes' SPDY tunnel). */
export function tunnelOf(socket: Duplex): Duplex {
  const tunnel = new Duplex({
    read: () => connection.resume(),
    write: (bytes: Buffer, _, done) => connection.send([bytes], done),
    final: (done) => {
      connection.close();
      done();
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const connection = serveWebSocket(socket, {
    text: false,
    onPiece: (bytes) => bytes.length === 0 || tunnel.push(bytes),
  });
  socket.once('close', () => tunnel.destroy());
  return tunnel;
}

function close(socket: Writable): void {
  if (!socket.writable) return;
  const code = Buffer.alloc(2);
  code.writeUInt16BE(NORMAL);
  write(socket, OPCODE.close, [code], () => undefined);
  socket.end();
}

type Done = (error?: Error | null) => void;

function write(socket: Writable, opcode: Opcode, parts: readonly Buffer[], done: Done): void {
  if (!socket.writable) {
    done(new Error('the WebSocket is closed'));
    return;
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  socket.cork();
  for (const part of [frameHead(opcode, length), ...parts.slice(0, -1)]) socket.write(part);
  socket.write(parts.at(-1) ?? Buffer.alloc(0), done);
  socket.uncork();
}
