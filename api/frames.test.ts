import test from 'ava';
import { isKind } from './errors.ts';
import { encodeFrame, frameReader, MAX_FRAME_BYTES } from './frame.ts';
import { examples, readExamples } from './frames.examples.ts';

test('the examples file that the native side parses holds the typed examples', (t) => {
  t.deepEqual(readExamples(), examples, 'run `node api/frames.examples.ts` to write it again');
});

test('64-bit integers of the examples do not fit a number, so a side that makes them one is found out', (t) => {
  const exact = JSON.stringify(examples).match(/"\d{16,20}"/g) ?? [];
  t.true(exact.some((text) => String(Number(text.slice(1, -1))) !== text.slice(1, -1)));
});

test('every message comes out of the frames as it went in, wherever the bytes are cut', (t) => {
  const { engine, shim } = examples;
  const messages = [...Object.entries(engine.calls), ...Object.entries(shim.calls)].flatMap(
    ([call, { ask, reply }], id) => [
      { id, call, ...ask },
      { id, ok: reply },
    ],
  );
  const bytes = Buffer.concat(messages.map(encodeFrame));
  for (const step of [1, 3, 4, 5, 1000, bytes.length]) {
    const reader = frameReader();
    const read: object[] = [];
    for (let at = 0; at < bytes.length; at += step) read.push(...reader.feed(bytes.subarray(at, at + step)));
    t.deepEqual(read, messages, `cut every ${step} bytes`);
    t.is(reader.rest().length, 0);
  }
});

test('what follows the last whole frame is kept', (t) => {
  const reader = frameReader();
  const tail = Buffer.from([1, 2]);
  t.deepEqual(reader.feed(Buffer.concat([encodeFrame({ id: 1, ok: {} }), tail])), [{ id: 1, ok: {} }]);
  t.deepEqual(reader.rest(), tail);
});

test('a message over the limit is not sent, and the error names call and limit', (t) => {
  const error = t.throws(() => encodeFrame({ id: 1, call: 'exec', text: '\x01'.repeat(MAX_FRAME_BYTES / 6) }));
  t.true(isKind(error, 'exhausted'));
  t.regex(error?.message ?? '', /^exec: a message of 1677\d+ bytes, at most 16777216 \(limit MAX_FRAME_BYTES\)$/);
});

test('a frame over the limit is refused before its body arrives, a body that is not JSON when it does', (t) => {
  const oversize = Buffer.alloc(4);
  oversize.writeUInt32LE(MAX_FRAME_BYTES + 1);
  t.throws(() => frameReader().feed(oversize), { instanceOf: RangeError });
  t.throws(() => frameReader().feed(Buffer.from([1, 0, 0, 0, 0x7b])), { instanceOf: SyntaxError });
});
