import { connect, type Socket } from 'node:net';

/** Types of frames (RFC 9113, section 6). */
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;
const FLAG = { endStream: 1, endHeaders: 4 } as const;

/** Bytes that a client of HTTP/2 sends first. */
export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(TYPE.settings, 0, 0)]);

/** The head of a call to a method of the RuntimeService. */
export function callHead(stream: number, method: string): Buffer {
  return frame(TYPE.headers, FLAG.endHeaders, stream, headerBlock(`/runtime.v1.RuntimeService/${method}`));
}

/** The body of a call, as one message, at its end. */
export function callBody(stream: number, message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return frame(TYPE.data, FLAG.endStream, stream, Buffer.concat([head, message]));
}

export const reset = (stream: number): Buffer => frame(TYPE.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
export const ping = (): Buffer => frame(TYPE.ping, 0, 0, Buffer.alloc(8));
export const settings = (): Buffer => frame(TYPE.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]));
export const emptyData = (stream: number): Buffer => frame(TYPE.data, 0, stream);

/** A header block that goes on and on: the first piece, then any number of further ones. */
export function endlessHeaders(stream: number): { first: Buffer; more: Buffer } {
  const header = Buffer.concat([Buffer.from([0]), text('x'), text('y'.repeat(100))]);
  const block = Buffer.concat(Array<Buffer>(150).fill(header));
  return { first: frame(TYPE.headers, 0, stream, headerBlock('/x')), more: frame(TYPE.continuation, 0, stream, block) };
}

/**
 * Sends `piece(0)`, `piece(1)`, … as fast as the server takes them, reading nothing back if so wished. Ends when `count`
 * were sent, the server has closed the connection or takes no more for two seconds. Returns how many were sent.
 */
export async function flood(path: string, count: number, piece: (at: number) => Buffer, { reads = true } = {}): Promise<number> {
  const socket = await connected(path);
  if (reads) socket.resume();
  socket.write(preface);
  let at = 0;
  while (at < count && socket.writable) {
    const batch = Array.from({ length: Math.min(100, count - at) }, () => piece(at++));
    if (!socket.write(Buffer.concat(batch)) && !(await drained(socket))) break;
  }
  await drained(socket);
  socket.destroy();
  return at;
}

/** What a server may send on a connection before its client says that it has read some of it (RFC 9113, section 6.9.2). */
const FIRST_WINDOW_BYTES = 65_535;

/** Makes `count` calls on one connection and never reads their answers; resolves once the server may send no more of them. */
export async function unreadCalls(path: string, method: string, count: number): Promise<Socket> {
  const socket = await connected(path);
  const full = new Promise<void>((resolve) => {
    let bytes = 0;
    socket.on('data', ({ length }) => {
      bytes += length;
      if (bytes >= FIRST_WINDOW_BYTES) resolve();
    });
  });
  const streams = Array.from({ length: count }, (_, at) => 2 * at + 1);
  socket.write(Buffer.concat([preface, ...streams.map((stream) => Buffer.concat([callHead(stream, method), callBody(stream, Buffer.alloc(0))]))]));
  await full;
  return socket;
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  return socket.on('error', () => undefined);
}

/** False when the server has closed the connection or is stuck. */
async function drained(socket: Socket): Promise<boolean> {
  if (socket.writableLength === 0) return true;
  return await new Promise((resolve) => {
    const timer = setTimeout(resolve, 2000, false);
    const done = (): void => {
      clearTimeout(timer);
      resolve(!socket.destroyed);
    };
    socket.once('drain', done).once('close', done);
  });
}

/** HPACK (RFC 7541) by static table entries and literals: what gRPC needs to see of a call. */
function headerBlock(path: string): Buffer {
  const [post, http] = [Buffer.from([0x83]), Buffer.from([0x86])];
  const [pathName, authorityName, typeName] = [Buffer.from([0x04]), Buffer.from([0x01]), Buffer.from([0x0f, 0x10])];
  const te = [Buffer.from([0]), text('te'), text('trailers')];
  return Buffer.concat([post, http, pathName, text(path), authorityName, text('localhost'), typeName, text('application/grpc'), ...te]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
