// A disk that keeps what was flushed and may lose all else: one file of a FUSE file system, for a loop device to lie on.
//
//   node e2e/harness/volatile-disk-server.ts FOLDER BYTES
//
// Mounts itself at FOLDER, which then holds `disk` and `control`, and ends when that is unmounted. Written to `control`:
//   cut           notes what would be there after a power cut now that lost all that was not flushed
//   cut SEED      the same, where each block that was not flushed has any of its states: the old one, the newest, one between
//   write PATH    writes what was noted to the new file PATH
//   restore       the disk is again as was noted
//   deaf          from now on nothing is flushed, though the disk says so
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { type Random, random } from './random.ts';

const [folder = '', bytes = ''] = process.argv.slice(2);
const diskBytes = Number(bytes);
const BLOCK = 4096;
const MAX_WRITE = 1 << 20;

/** Blocks by number: as they are flushed, and after that each state that they had, in its order. */
const flushed = new Map<number, Buffer>();
const since = new Map<number, Buffer[]>();
let noted = new Map<number, Buffer>();
let deaf = false;
let waits = 0;

const nodes = { root: 1n, disk: 2n, control: 3n } as const;
const LOOKUP = 1, FORGET = 2, GETATTR = 3, SETATTR = 4, OPEN = 14, READ = 15, WRITE = 16, STATFS = 17, RELEASE = 18, FSYNC = 20, FLUSH = 25, INIT = 26, INTERRUPT = 36, BATCH_FORGET = 42;
const ENOENT = 2, EIO = 5, ENOSYS = 38;

const fuse = openSync('/dev/fuse', 'r+');
const options = ['fd=3', 'rootmode=40000', 'user_id=0', 'group_id=0', 'allow_other'].join(',');
spawn('mount', ['-i', '-t', 'fuse', '-o', options, 'berth-volatile-disk', folder], { stdio: ['ignore', 'inherit', 'inherit', fuse] });
const request = Buffer.alloc(MAX_WRITE + BLOCK);
for (;;) {
  const length = next();
  if (length === undefined) break;
  serve(request.subarray(0, length));
}

/** Bytes of the next request; undefined when there are none any more. */
function next(): number | undefined {
  try {
    return readSync(fuse, request);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENODEV') return undefined;
    if (['EINTR', 'EAGAIN', 'ENOENT'].includes(code)) return 0;
    // Until mount(8) has done it.
    if (code !== 'EPERM' || waits++ === 1000) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    return 0;
  }
}

function serve(asked: Buffer): void {
  if (asked.length < 40) return;
  const [opcode, unique, node, ask] = [asked.readUInt32LE(4), asked.readBigUInt64LE(8), asked.readBigUInt64LE(16), asked.subarray(40)];
  if (opcode === FORGET || opcode === BATCH_FORGET || opcode === INTERRUPT) return;
  const answer = answerTo(opcode, node, ask);
  const head = Buffer.alloc(16);
  const body = typeof answer === 'number' ? Buffer.alloc(0) : answer;
  head.writeUInt32LE(16 + body.length, 0);
  head.writeInt32LE(typeof answer === 'number' ? -answer : 0, 4);
  head.writeBigUInt64LE(unique, 8);
  writeSync(fuse, Buffer.concat([head, body]));
}

/** The reply's body, or an error number. */
function answerTo(opcode: number, node: bigint, ask: Buffer): Buffer | number {
  switch (opcode) {
    case INIT: return initiated(ask);
    case LOOKUP: return looked(ask.toString('utf8', 0, ask.indexOf(0)));
    case GETATTR: case SETATTR: return Buffer.concat([Buffer.alloc(16), attributes(node)]);
    case OPEN: return opened();
    case READ: return read(Number(ask.readBigUInt64LE(8)), ask.readUInt32LE(16));
    case WRITE: return written(node, Number(ask.readBigUInt64LE(8)), ask.subarray(40, 40 + ask.readUInt32LE(16)));
    case FSYNC: return flush();
    case STATFS: return Buffer.alloc(80);
    case FLUSH: case RELEASE: return Buffer.alloc(0);
    default: return ENOSYS;
  }
}

function initiated(ask: Buffer): Buffer {
  const reply = Buffer.alloc(64);
  const [ASYNC_READ, BIG_WRITES, MAX_PAGES] = [1 << 0, 1 << 5, 1 << 22];
  reply.writeUInt32LE(7, 0);
  reply.writeUInt32LE(Math.min(31, ask.readUInt32LE(4)), 4);
  reply.writeUInt32LE(ask.readUInt32LE(8), 8);
  reply.writeUInt32LE((ASYNC_READ | BIG_WRITES | MAX_PAGES) & ask.readUInt32LE(12), 12);
  reply.writeUInt16LE(16, 16);
  reply.writeUInt16LE(12, 18);
  reply.writeUInt32LE(MAX_WRITE, 20);
  reply.writeUInt32LE(1, 24);
  reply.writeUInt16LE(MAX_WRITE / BLOCK, 28);
  return reply;
}

function looked(name: string): Buffer | number {
  const node = name === 'disk' ? nodes.disk : name === 'control' ? nodes.control : undefined;
  if (node === undefined) return ENOENT;
  const entry = Buffer.alloc(40);
  entry.writeBigUInt64LE(node, 0);
  return Buffer.concat([entry, attributes(node)]);
}

function attributes(node: bigint): Buffer {
  const reply = Buffer.alloc(88);
  const size = BigInt(node === nodes.disk ? diskBytes : 0);
  reply.writeBigUInt64LE(node, 0);
  reply.writeBigUInt64LE(size, 8);
  reply.writeBigUInt64LE(size / 512n, 16);
  reply.writeUInt32LE(node === nodes.root ? 0o040700 : 0o100600, 60);
  reply.writeUInt32LE(node === nodes.root ? 2 : 1, 64);
  reply.writeUInt32LE(BLOCK, 80);
  return reply;
}

/** Past the page cache: every read and write comes here. */
function opened(): Buffer {
  const reply = Buffer.alloc(16);
  const DIRECT_IO = 1;
  reply.writeUInt32LE(DIRECT_IO, 8);
  return reply;
}

function newest(block: number): Buffer | undefined {
  return since.get(block)?.at(-1) ?? flushed.get(block);
}

function read(offset: number, size: number): Buffer {
  const reply = Buffer.alloc(Math.max(0, Math.min(size, diskBytes - offset)));
  for (let at = 0; at < reply.length; ) {
    const [block, within] = [Math.floor((offset + at) / BLOCK), (offset + at) % BLOCK];
    newest(block)?.copy(reply, at, within);
    at += BLOCK - within;
  }
  return reply;
}

function written(node: bigint, offset: number, data: Buffer): Buffer | number {
  if (node === nodes.control && !obeyed(data.toString('utf8').trim().split(' '))) return EIO;
  if (node === nodes.disk) {
    for (let at = 0; at < data.length; ) {
      const [block, within] = [Math.floor((offset + at) / BLOCK), (offset + at) % BLOCK];
      const state = Buffer.alloc(BLOCK);
      if (within > 0 || data.length - at < BLOCK) newest(block)?.copy(state);
      at += data.copy(state, within, at);
      const states = since.get(block);
      if (states === undefined) since.set(block, [state]);
      else states.push(state);
    }
  }
  const reply = Buffer.alloc(8);
  reply.writeUInt32LE(data.length, 0);
  return reply;
}

function flush(): Buffer {
  if (!deaf) {
    for (const [block, states] of since) flushed.set(block, states.at(-1) ?? Buffer.alloc(BLOCK));
    since.clear();
  }
  return Buffer.alloc(0);
}

function obeyed([order = '', argument]: string[]): boolean {
  if (order === 'cut') noted = afterCut(argument === undefined ? undefined : random(Number(argument)));
  else if (order === 'write' && argument !== undefined) write(argument);
  else if (order === 'restore') restore();
  else if (order === 'deaf') deaf = true;
  else return false;
  return true;
}

function afterCut(dice: Random | undefined): Map<number, Buffer> {
  const left = new Map(flushed);
  for (const [block, states] of dice === undefined ? [] : since) {
    const state = states[(dice?.below(states.length + 1) ?? 0) - 1];
    if (state !== undefined) left.set(block, state);
  }
  return left;
}

function write(path: string): void {
  const file = openSync(path, 'wx');
  ftruncateSync(file, diskBytes);
  for (const [block, content] of noted) writeSync(file, content, 0, BLOCK, block * BLOCK);
  closeSync(file);
}

function restore(): void {
  since.clear();
  flushed.clear();
  for (const [block, content] of noted) flushed.set(block, content);
}
