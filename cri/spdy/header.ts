import { constants, inflateRawSync } from 'node:zlib';
import { dictionary } from './dictionary.ts';

/** Headers of a stream by lower-case name; of several values the first. */
export type Headers = ReadonlyMap<string, string>;

/** Most that one header block may inflate to, in bytes. */
export const MAX_BLOCK_BYTES = 16 << 10;

/** How far back deflate refers (RFC 1951). */
const WINDOW_BYTES = 32 << 10;

/** Header of a zlib stream that says it has a dictionary, and the dictionary's checksum (RFC 1950). */
const ZLIB_HEAD_BYTES = 6;

/**
 * A reader of the header blocks of one connection, in their order. Each ends with a sync flush, so it inflates by
 * itself against the bytes before it: no inflater is kept between blocks. Throws RangeError on a malformed block.
 */
export function headerReader(): (block: Buffer) => Headers {
  let before = dictionary;
  let first = true;
  return (block) => {
    const text = inflated(first ? block.subarray(ZLIB_HEAD_BYTES) : block, before);
    first = false;
    before = Buffer.concat([before, text]).subarray(-WINDOW_BYTES);
    return pairs(text);
  };
}

/** An empty header block, compressed; `first` on its connection or not. A stored block and a sync flush (RFC 1951). */
export function emptyBlock(first: boolean): Buffer {
  return first ? Buffer.concat([zlibHead, empty]) : empty;
}

const zlibHead = Buffer.from('78bbe3c6a7c2', 'hex');
const empty = Buffer.from('000400fbff00000000' + '000000ffff', 'hex');

function inflated(block: Buffer, before: Buffer): Buffer {
  const options = { dictionary: before, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_BLOCK_BYTES };
  try {
    return inflateRawSync(block, options);
  } catch (error) {
    throw new RangeError(`SPDY header block: ${(error as Error).message}`);
  }
}

function pairs(text: Buffer): Headers {
  const headers = new Map<string, string>();
  let at = 4;
  const word = (): string => {
    const from = at + 4;
    at = from + text.readUInt32BE(at);
    if (at > text.length) throw new RangeError('SPDY header block ends inside a word');
    return text.toString('utf8', from, at);
  };
  for (let left = text.readUInt32BE(0); left > 0; left--) {
    const name = word().toLowerCase();
    headers.set(name, word().split('\0')[0] ?? '');
  }
  return headers;
}
