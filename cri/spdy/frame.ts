/** What a SPDY client may send, already cut into frames (SPDY/3.1, section 2.2). Data comes in pieces as it arrives. */
export type Frame =
  | { type: 'data'; stream: number; bytes: Buffer; fin: boolean }
  | { type: 'open'; stream: number; block: Buffer; fin: boolean }
  | { type: 'headers'; stream: number; block: Buffer; fin: boolean }
  | { type: 'reset'; stream: number }
  | { type: 'ping'; id: number }
  | { type: 'goAway' }
  | { type: 'other' };

/** Status codes of RST_STREAM (section 2.6.3). */
export const RESET = { protocolError: 1, refused: 3, cancel: 5 } as const;

const CONTROL = { open: 1, reply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const;
const VERSION = 3;
const FIN = 1;
const HEAD_BYTES = 8;
const MAX_ID = 0x7fff_ffff;

/** Longest control frame taken from a client, in bytes. */
export const MAX_CONTROL_BYTES = 64 << 10;

type Data = { stream: number; fin: boolean; left: number };

/** A reader of frames: feed it bytes as they come, it returns what is complete. Throws RangeError on what is no SPDY/3. */
export function frameReader(): (chunk: Buffer) => Frame[] {
  let pending: Buffer = Buffer.alloc(0);
  let data: Data | undefined;
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      if (data) {
        const bytes = pending.subarray(0, data.left);
        if (bytes.length === 0 && data.left > 0) return frames;
        pending = pending.subarray(bytes.length);
        data.left -= bytes.length;
        frames.push({ type: 'data', stream: data.stream, bytes, fin: data.fin && data.left === 0 });
        if (data.left === 0) data = undefined;
        continue;
      }
      const length = headLength(pending);
      if (length === undefined) return frames;
      if (pending.readUInt8(0) < 0x80) {
        data = { stream: pending.readUInt32BE(0), fin: isFin(pending), left: length };
        pending = pending.subarray(HEAD_BYTES);
      } else {
        if (length > MAX_CONTROL_BYTES) throw new RangeError(`SPDY control frame of ${length} bytes`);
        if (pending.length < HEAD_BYTES + length) return frames;
        frames.push(controlFrame(pending.subarray(0, HEAD_BYTES + length)));
        pending = pending.subarray(HEAD_BYTES + length);
      }
    }
  };
}

/** A reply that opens a client's stream to both sides (SYN_REPLY). */
export function replyFrame(stream: number, block: Buffer): Buffer {
  return control(CONTROL.reply, uint32(stream), block);
}

/** The head of a data frame; its `length` bytes follow. */
export function dataHead(stream: number, length: number, fin: boolean): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(((fin ? FIN : 0) << 24) + length, 4);
  return head;
}

/** Ends a stream at once, both ways. */
export function resetFrame(stream: number, status: (typeof RESET)[keyof typeof RESET]): Buffer {
  return control(CONTROL.reset, uint32(stream), uint32(status));
}

/** A ping, or the answer to one. Ours have even ids. */
export function pingFrame(id: number): Buffer {
  return control(CONTROL.ping, uint32(id));
}

/** Says that streams after `lastStream` are not looked at (status OK). */
export function goAwayFrame(lastStream: number): Buffer {
  return control(CONTROL.goAway, uint32(lastStream), uint32(0));
}

/** Length of the frame at the start of `bytes`, without its head; undefined before the head is complete. */
function headLength(bytes: Buffer): number | undefined {
  return bytes.length < HEAD_BYTES ? undefined : bytes.readUIntBE(5, 3);
}

function isFin(frame: Buffer): boolean {
  return (frame.readUInt8(4) & FIN) !== 0;
}

function controlFrame(frame: Buffer): Frame {
  const version = frame.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) throw new RangeError(`SPDY version ${version}, only ${VERSION} is spoken`);
  const type = frame.readUInt16BE(2);
  const fin = isFin(frame);
  if (type === CONTROL.open) return { type: 'open', stream: idIn(frame), block: frame.subarray(HEAD_BYTES + 10), fin };
  if (type === CONTROL.headers)
    return { type: 'headers', stream: idIn(frame), block: frame.subarray(HEAD_BYTES + 4), fin };
  if (type === CONTROL.reset) return { type: 'reset', stream: idIn(frame) };
  if (type === CONTROL.ping) return { type: 'ping', id: uint32In(frame) };
  return { type: type === CONTROL.goAway ? 'goAway' : 'other' };
}

function idIn(frame: Buffer): number {
  return uint32In(frame) & MAX_ID;
}

function uint32In(frame: Buffer): number {
  if (frame.length < HEAD_BYTES + 4) throw new RangeError('SPDY control frame without its first field');
  return frame.readUInt32BE(HEAD_BYTES);
}

function control(type: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
