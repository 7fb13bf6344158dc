import { RuntimeError } from './errors.ts';

/** The protocol version that berthd and engine, which come from one release, name in their first frame. */
export const PROTOCOL = 1;

/** Largest frame either side accepts, in bytes. */
export const MAX_FRAME_BYTES = 16 << 20;

/** What berthd sends: one call, numbered by the caller. */
export type Ask = { id: number; call: string } & Record<string, unknown>;

/** The one answer to a call. */
export type Reply = { id: number; ok: Record<string, unknown> } | { id: number; error: FrameError };

/** A failed call: `kind` is one of `ErrorKind`, `message` says what was tried and on what. */
export type FrameError = { kind: string; message: string };

/** Something that happened unasked. `seq` counts up by one from 1 for the life of the sender. */
export type Event = { event: string; seq: number } & Record<string, unknown>;

/** One frame: 4-byte little-endian length, then that many bytes of JSON. Throws `exhausted` over MAX_FRAME_BYTES. */
export function encodeFrame(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  if (body.length > MAX_FRAME_BYTES) {
    const what = 'call' in message ? `${message.call}: a message` : 'a message';
    throw new RuntimeError('exhausted', `${what} of ${body.length} bytes, at most ${MAX_FRAME_BYTES} (limit MAX_FRAME_BYTES)`);
  }
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32LE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

/**
 * A reader of frames: feed it bytes as they come, it returns the messages completed by them.
 * Throws RangeError on a frame over MAX_FRAME_BYTES and SyntaxError on a body that is not JSON.
 */
export function frameReader(): { feed(chunk: Buffer): object[]; rest(): Buffer } {
  let pending: Buffer = Buffer.alloc(0);
  const feed = (chunk: Buffer): object[] => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const messages: object[] = [];
    while (pending.length >= 4) {
      const length = pending.readUInt32LE(0);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${length} bytes, at most ${MAX_FRAME_BYTES}`);
      if (pending.length < 4 + length) break;
      messages.push(JSON.parse(pending.toString('utf8', 4, 4 + length)) as object);
      pending = pending.subarray(4 + length);
    }
    return messages;
  };
  return { feed, rest: () => pending };
}
