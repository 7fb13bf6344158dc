import { RuntimeError } from '../api/errors.ts';

/** Headers and data of a tar are padded to this many bytes. */
export const tarBlockBytes = 512;

/** What ends a tar. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes);

/** One header as it stands there; an extension (`x`, `L`, `K`, `g`) speaks of the entry after it. */
export type TarHeader = { name: string; kind: string; link: string; sizeBytes: number };

/** The header of a plain file, the same for the same name and size. Its name has at most 100 bytes. */
export function tarHeader(name: string, sizeBytes: number): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  if (Buffer.byteLength(name) > 100) throw new RuntimeError('internal', `${name} is too long a name for a tar`);
  block.write(name);
  block.write(`0000644\0${'0000000\0'.repeat(2)}`, 100);
  writeSize(block, sizeBytes);
  block.write(`${'0'.repeat(11)}\0${' '.repeat(8)}0`, 136);
  block.write('ustar\x0000', 257);
  block.write(`${sumOf(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** How many zeros follow so many bytes of data. */
export function tarPadding(sizeBytes: number): number {
  return (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes;
}

/** Reads a header; undefined for a block of zeros, with which a tar ends. Throws `corrupt`. */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block.subarray(148, 156)) !== sumOf(block)) throw new RuntimeError('corrupt', 'a header of the archive has a wrong checksum: it is no tar, or damaged');
  const prefix = block.toString('latin1', 257, 262) === 'ustar' && block[262] === 0 ? text(block.subarray(345, 500)) : '';
  const name = text(block.subarray(0, 100));
  const kind = String.fromCharCode(block[156] ?? 0);
  return { name: prefix === '' ? name : `${prefix}/${name}`, kind, link: text(block.subarray(157, 257)), sizeBytes: number(block.subarray(124, 136)) };
}

/** The records of a PAX extension (POSIX.1-2017, pax), the last of each key. Throws `corrupt`. */
export function readPax(data: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < data.length) {
    const blank = data.indexOf(0x20, at);
    const digits = blank === -1 ? '' : data.toString('latin1', at, blank);
    const record = data.toString('utf8', blank + 1, at + Number(digits) - 1);
    const equals = record.indexOf('=');
    if (!/^[1-9]\d{0,9}$/.test(digits) || at + Number(digits) > data.length || equals < 1) throw new RuntimeError('corrupt', 'an extended header of the archive is malformed');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += Number(digits);
  }
  return records;
}

/** Octal up to 8 GiB, base 256 from there on (GNU). */
function writeSize(block: Buffer, sizeBytes: number): void {
  if (sizeBytes < 8 ** 11) {
    block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  block[124] = 0x80;
}

/** The sum of all bytes, the sum's own field taken as blanks. */
function sumOf(block: Buffer): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? field.length : end);
}

function number(field: Buffer): number {
  const value = (field[0] ?? 0) >= 0x80 ? base256(field) : octal(field);
  if (!Number.isSafeInteger(value) || value < 0) throw new RuntimeError('corrupt', 'a header of the archive holds a malformed number');
  return value;
}

function base256(field: Buffer): number {
  return field.subarray(1).reduce((value, byte) => value * 256 + byte, (field[0] ?? 0) & 0x7f);
}

function octal(field: Buffer): number {
  const digits = text(field).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}
