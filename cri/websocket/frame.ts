import { createHash } from 'node:crypto';

/** Opcodes (RFC 6455, section 5.2). */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];

/** What a client sent: a piece of a message, the `first` one or a later, as it arrives; or a control frame. */
export type Frame =
  | { type: 'piece'; first: boolean; bytes: Buffer }
  | { type: 'close' | 'ping' | 'pong'; bytes: Buffer };

const FIN = 0x80;
const MASKED = 0x80;
const RESERVED = 0x70;
const MAX_CONTROL_BYTES = 125;

type Head = { opcode: number; fin: boolean; mask: Buffer; length: number; bytes: number };
type Payload = { first: boolean; mask: Buffer; at: number; left: number };

/**
 * A reader of a client's frames: feed it bytes as they come, it returns what is complete, messages in pieces of any
 * size. Throws RangeError on what RFC 6455 forbids a client.
 */
export function frameReader(): (chunk: Buffer) => Frame[] {
  let pending: Buffer = Buffer.alloc(0);
  let payload: Payload | undefined;
  let inMessage = false;

  function take(length: number): Buffer {
    const bytes = pending.subarray(0, length);
    pending = pending.subarray(length);
    return bytes;
  }

  function piece(of: Payload): Frame {
    const bytes = take(of.left);
    const rest = { first: false, mask: of.mask, at: of.at + bytes.length, left: of.left - bytes.length };
    payload = rest.left > 0 ? rest : undefined;
    return { type: 'piece', first: of.first, bytes: unmasked(bytes, of.mask, of.at) };
  }

  function begin({ opcode, fin, mask, length }: Head): Payload {
    const first = opcode !== OPCODE.continuation;
    if (first === inMessage) throw new RangeError('WebSocket messages that overlap');
    inMessage = !fin;
    return { first, mask, at: 0, left: length };
  }

  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      if (payload) {
        if (pending.length === 0 && payload.left > 0) return frames;
        frames.push(piece(payload));
        continue;
      }
      const head = headOf(pending);
      if (!head) return frames;
      const control = controls[head.opcode];
      if (!control) {
        take(head.bytes);
        payload = begin(head);
      } else if (pending.length < head.bytes + head.length) {
        return frames;
      } else {
        take(head.bytes);
        frames.push({ type: control, bytes: unmasked(take(head.length), head.mask, 0) });
      }
    }
  };
}

const controls: Record<number, 'close' | 'ping' | 'pong'> = {
  [OPCODE.close]: 'close',
  [OPCODE.ping]: 'ping',
  [OPCODE.pong]: 'pong',
};

/** The head of an unfragmented frame from the server; its `length` bytes follow. */
export function frameHead(opcode: Opcode, length: number): Buffer {
  if (length <= MAX_CONTROL_BYTES) return Buffer.from([FIN | opcode, length]);
  const wide = length > 0xffff;
  const head = Buffer.alloc(wide ? 10 : 4);
  head.writeUInt8(FIN | opcode, 0);
  head.writeUInt8(wide ? 127 : 126, 1);
  if (wide) head.writeUIntBE(length, 4, 6);
  else head.writeUInt16BE(length, 2);
  return head;
}

/** The `Sec-WebSocket-Accept` that answers a client's key (section 4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function headOf(bytes: Buffer): Head | undefined {
  if (bytes.length < 2) return undefined;
  const [flags = 0, second = 0] = bytes;
  if (flags & RESERVED) throw new RangeError('WebSocket frame with an extension that was not agreed on');
  if (!(second & MASKED)) throw new RangeError('WebSocket frame of a client without a mask');
  const opcode = flags & 0x0f;
  const fin = (flags & FIN) !== 0;
  const short = second & 0x7f;
  if (opcode > OPCODE.binary && !controls[opcode]) throw new RangeError(`WebSocket frame with opcode ${opcode}`);
  if (controls[opcode] && (!fin || short > MAX_CONTROL_BYTES))
    throw new RangeError('WebSocket control frame in pieces or too long');
  const maskAt = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < maskAt + 4) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const mask = Buffer.from(bytes.subarray(maskAt, maskAt + 4));
  return { opcode, fin, mask, length, bytes: maskAt + 4 };
}

function unmasked(bytes: Buffer, mask: Buffer, at: number): Buffer {
  const plain = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i++) plain[i] = (bytes[i] as number) ^ (mask[(at + i) & 3] as number);
  return plain;
}
