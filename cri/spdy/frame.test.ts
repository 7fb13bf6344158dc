import { randomInt } from 'node:crypto';
import test from 'ava';
import {
  dataHead,
  type Frame,
  frameReader,
  goAwayFrame,
  MAX_CONTROL_BYTES,
  pingFrame,
  RESET,
  replyFrame,
  resetFrame,
} from './frame.ts';

const open = Buffer.concat([
  Buffer.from('80030001' + '0100000e' + '00000007' + '00000000' + '0000', 'hex'),
  Buffer.from('HEAD'),
]);
const data = (stream: number, text: string, fin = false) =>
  Buffer.concat([dataHead(stream, text.length, fin), Buffer.from(text)]);

test('frames come out in order wherever the bytes are cut, data in pieces', (t) => {
  const bytes = Buffer.concat([
    open,
    data(7, 'hello'),
    replyFrame(7, Buffer.from('block')),
    pingFrame(3),
    data(7, '', true),
    data(9, 'x', true),
    resetFrame(9, RESET.cancel),
    goAwayFrame(9),
  ]);
  for (let step = 1; step <= bytes.length; step++) {
    const read = frameReader();
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; at += step) frames.push(...read(bytes.subarray(at, at + step)));
    const sent = (stream: number) =>
      frames.filter((frame) => frame.type === 'data').filter((frame) => frame.stream === stream);
    const others = frames.filter((frame) => frame.type !== 'data');
    t.deepEqual(others, [
      { type: 'open', stream: 7, block: Buffer.from('HEAD'), fin: true },
      { type: 'other' },
      { type: 'ping', id: 3 },
      { type: 'reset', stream: 9 },
      { type: 'goAway' },
    ]);
    t.is(Buffer.concat(sent(7).map((frame) => frame.bytes)).toString(), 'hello');
    t.deepEqual(
      sent(7)
        .map((frame) => frame.fin)
        .indexOf(true),
      sent(7).length - 1,
    );
    t.deepEqual(sent(9), [{ type: 'data', stream: 9, bytes: Buffer.from('x'), fin: true }]);
  }
});

test('a data frame of the greatest length is handed on before it is complete', (t) => {
  const read = frameReader();
  t.deepEqual(read(Buffer.concat([dataHead(1, 0xff_ffff, true), Buffer.from('abc')])), [
    { type: 'data', stream: 1, bytes: Buffer.from('abc'), fin: false },
  ]);
});

test('an oversize control frame, another version and a frame without its stream are refused', (t) => {
  const oversize = Buffer.from('8003000100000000', 'hex');
  oversize.writeUIntBE(MAX_CONTROL_BYTES + 1, 5, 3);
  for (const bytes of [
    oversize,
    Buffer.from('80020001' + '00000000', 'hex'),
    Buffer.from('80030003' + '00000000', 'hex'),
  ]) {
    t.throws(() => frameReader()(bytes), { instanceOf: RangeError });
  }
});

test('what is written has the bytes of the specification', (t) => {
  t.is(replyFrame(1, Buffer.from([9])).toString('hex'), '8003000200000005' + '00000001' + '09');
  t.is(resetFrame(5, RESET.refused).toString('hex'), '8003000300000008' + '00000005' + '00000003');
  t.is(pingFrame(2).toString('hex'), '8003000600000004' + '00000002');
  t.is(goAwayFrame(7).toString('hex'), '8003000700000008' + '00000007' + '00000000');
  t.is(dataHead(3, 10, true).toString('hex'), '00000003' + '0100000a');
});

test('bytes of chance are frames or refused, never anything else', (t) => {
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.concat([open, pingFrame(1), resetFrame(1, RESET.cancel), data(1, 'abc', true)]);
    for (let i = 0; i < 4; i++) bytes[randomInt(bytes.length)] = randomInt(256);
    try {
      frameReader()(bytes);
    } catch (error) {
      t.true(error instanceof RangeError, bytes.toString('hex'));
    }
  }
  t.pass();
});
