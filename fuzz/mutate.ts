import type { Random } from '../e2e/harness/random.ts';

/** Bytes and words that parsers tend to trip over. */
const words = [
  ...['', '\0', '\n', '\r\n', ' ', '"', '\\', '/', '//', '..', '../', ':', '@', ',', '=', '{', '}', '[', ']', '{}', '[]', 'null', 'true', '-1', '0', '1e999'],
  ...['9007199254740993', '4294967295', '2147483648', '\u00ff', '\ud83d', '__proto__', 'constructor', 'sha256:', 'latest', 'localhost'],
].map((text) => Buffer.from(text)).concat(Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x80, 0, 0, 0]), Buffer.from([0xc0, 0x80]));

/** Longest input made, in bytes. */
export const maxInputBytes = 16 << 10;

/** One of the inputs with one to eight changes, all of them decided by `random`. */
export function mutated(inputs: readonly Buffer[], random: Random): Buffer {
  let bytes: Buffer = Buffer.from(random.of(inputs));
  for (let changes = 1 + random.below(8); changes > 0; changes--) bytes = changed(bytes, inputs, random);
  return bytes.subarray(0, maxInputBytes);
}

function changed(bytes: Buffer, inputs: readonly Buffer[], random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + random.below(random.of([4, 16, 64, 512])));
  const put = (middle: Buffer, end: number): Buffer => Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(end)]);
  switch (random.below(8)) {
    case 0: return flipped(bytes, at, 1 << random.below(8));
    case 1: return put(Buffer.from([random.below(256)]), to);
    case 2: return put(Buffer.alloc(0), to);
    case 3: return put(random.of(words), at);
    case 4: return put(random.of(words), to);
    case 5: return put(bytes.subarray(at, to), at);
    case 6: return put(sliceOf(random.of(inputs), random), random.of([at, to]));
    default: return flipped(bytes, at, random.below(256));
  }
}

function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}

function sliceOf(bytes: Buffer, random: Random): Buffer {
  const from = random.below(bytes.length + 1);
  return bytes.subarray(from, from + random.below(256));
}

/** The bytes in pieces of any size, none of them empty. */
export function cut(bytes: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieces.at(-1)?.length ?? 0) pieces.push(bytes.subarray(at, at + 1 + random.below(40)));
  return pieces;
}
