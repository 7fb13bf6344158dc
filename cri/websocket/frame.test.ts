import { randomInt } from 'node:crypto';
import test from 'ava';
import { acceptOf, type Frame, frameHead, frameReader, OPCODE } from './frame.ts';

const mask = Buffer.from([1, 2, 3, 4]);

function masked(opcode: number, payload: string | Buffer, { fin = true, flags = 0 } = {}): Buffer {
  const body = Buffer.from(payload);
  const length =
    body.length < 126
      ? [body.length]
      : body.length < 65_536
        ? [126, body.length >> 8, body.length & 255]
        : [127, 0, 0, 0, 0, ...Array.from({ length: 4 }, (_, i) => (body.length >>> (24 - 8 * i)) & 255)];
  const [short = 0, ...more] = length;
  const head = Buffer.from([(fin ? 0x80 : 0) | flags | opcode, 0x80 | short, ...more]);
  return Buffer.concat([head, mask, body.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}

/** The messages and control frames in a list of frames, pieces joined. */
function joined(frames: Frame[]): string[] {
  const texts: string[] = [];
  let message = -1;
  for (const frame of frames) {
    if (frame.type !== 'piece') texts.push(`${frame.type} ${frame.bytes}`);
    else if (frame.first) message = texts.push(`message ${frame.bytes}`) - 1;
    else texts[message] += frame.bytes.toString();
  }
  return texts;
}

test('messages and control frames come out as they went in, wherever the bytes are cut', (t) => {
  const bytes = Buffer.concat([
    masked(OPCODE.binary, 'hello'),
    masked(OPCODE.text, 'frag', { fin: false }),
    masked(OPCODE.ping, 'p'),
    masked(OPCODE.continuation, 'ment', { fin: false }),
    masked(OPCODE.continuation, ''),
    masked(OPCODE.binary, ''),
    masked(OPCODE.pong, ''),
    masked(OPCODE.close, 'bye'),
  ]);
  for (let step = 1; step <= bytes.length; step++) {
    const read = frameReader();
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; at += step) frames.push(...read(bytes.subarray(at, at + step)));
    const [hello, fragment, ...rest] = joined(frames);
    t.is(hello, 'message hello');
    t.is(fragment, 'message fragment');
    t.deepEqual(rest, ['ping p', 'message ', 'pong ', 'close bye']);
  }
});

test('lengths of two and eight bytes are read and written', (t) => {
  for (const length of [0, 125, 126, 65_535, 65_536, 200_000]) {
    const frames = frameReader()(masked(OPCODE.binary, Buffer.alloc(length, 7)));
    t.is(frames.length, 1);
    t.deepEqual(frames[0]?.bytes, Buffer.alloc(length, 7));
  }
  t.is(frameHead(OPCODE.binary, 125).toString('hex'), '827d');
  t.is(frameHead(OPCODE.text, 126).toString('hex'), '817e007e');
  t.is(frameHead(OPCODE.binary, 65_536).toString('hex'), '827f0000000000010000');
});

test('what a client must not send is refused', (t) => {
  const unmasked = Buffer.from([0x82, 1, 65, 0, 0, 0]);
  const overlapping = Buffer.concat([masked(OPCODE.binary, 'a', { fin: false }), masked(OPCODE.binary, 'b')]);
  const refused = [
    unmasked,
    overlapping,
    masked(OPCODE.continuation, 'x'),
    masked(3, 'x'),
    masked(11, 'x'),
    masked(OPCODE.ping, 'x', { fin: false }),
    masked(OPCODE.ping, 'x'.repeat(126)),
    masked(OPCODE.binary, 'x', { flags: 0x40 }),
  ];
  for (const bytes of refused) t.throws(() => frameReader()(bytes), { instanceOf: RangeError });
});

test("the answer to a client's key is the one of RFC 6455", (t) => {
  t.is(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('bytes of chance are frames or refused, never anything else', (t) => {
  const sent = Buffer.concat([
    masked(OPCODE.binary, 'a', { fin: false }),
    masked(OPCODE.ping, 'p'),
    masked(OPCODE.continuation, 'b'),
  ]);
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(sent);
    for (let i = 0; i < 3; i++) bytes[randomInt(bytes.length)] = randomInt(256);
    try {
      frameReader()(bytes);
    } catch (error) {
      t.true(error instanceof RangeError, bytes.toString('hex'));
    }
  }
  t.pass();
});
