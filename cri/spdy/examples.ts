import { dataHead } from './frame.ts';

const uint32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);
const word = (text: string): Buffer => Buffer.concat([uint32(text.length), Buffer.from(text)]);

/** For tests: a client's SYN_STREAM with one header, stored instead of deflated. */
export function openFrame(id: number, kind: string, first = id === 1): Buffer {
  const text = Buffer.concat([uint32(1), word('streamType'), word(kind)]);
  const sizes = Buffer.from([text.length, 0, text.length ^ 0xff, 0xff]);
  const stored = Buffer.concat([Buffer.from([0]), sizes, text, Buffer.from('000000ffff', 'hex')]);
  const block = first ? Buffer.concat([Buffer.from('78bbe3c6a7c2', 'hex'), stored]) : stored;
  const body = Buffer.concat([uint32(id), Buffer.alloc(6), block]);
  return Buffer.concat([Buffer.from('80030001', 'hex'), uint32(body.length), body]);
}

/** For tests: a client's data frame. */
export function data(id: number, text: string, fin = false): Buffer {
  return Buffer.concat([dataHead(id, text.length, fin), Buffer.from(text)]);
}
