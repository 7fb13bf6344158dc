import { randomInt } from 'node:crypto';
import { constants, deflateSync, inflateRawSync } from 'node:zlib';
import test from 'ava';
import { dictionary } from './dictionary.ts';
import { emptyBlock, headerReader, MAX_BLOCK_BYTES } from './header.ts';

function block(pairs: [string, string][]): Buffer {
  const word = (text: string) => Buffer.concat([uint32(Buffer.byteLength(text)), Buffer.from(text)]);
  return Buffer.concat([uint32(pairs.length), ...pairs.flat().map(word)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function compressed(text: Buffer): Buffer {
  return deflateSync(text, { dictionary, finishFlush: constants.Z_SYNC_FLUSH });
}

test('the dictionary has the checksum that clients name', (t) => {
  let low = 1;
  let high = 0;
  for (const byte of dictionary) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  t.is(((high << 16) | low) >>> 0, 0xe3c6a7c2);
});

test('names are lower case, and of several values the first counts', (t) => {
  const sent = compressed(
    block([
      ['streamType', 'stdin'],
      ['port', '80\u00008080'],
      ['ü', ''],
    ]),
  );
  t.deepEqual(
    [...headerReader()(sent)],
    [
      ['streamtype', 'stdin'],
      ['port', '80'],
      ['ü', ''],
    ],
  );
});

test('each block of a Go client is read against those before it', (t) => {
  const read = headerReader();
  const sent = [
    '78f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45e01c60616061c0c0c0c0590489c64c50f2663400000000ffff',
    'c2aa19540e2512d60b000000ffff',
    'a2c4624300000000ffff',
  ].map((hex) => Object.fromEntries(read(Buffer.from(hex, 'hex'))));
  t.deepEqual(sent, [
    { port: '8080', requestid: '0', streamtype: 'error' },
    { port: '8080', requestid: '0', streamtype: 'data' },
    { port: '8080', requestid: '1', streamtype: 'error' },
  ]);
});

test('malformed and oversize blocks are refused', (t) => {
  const bomb = compressed(block([['a', 'x'.repeat(MAX_BLOCK_BYTES)]]));
  const cut = compressed(block([['name', 'value']]).subarray(0, -1));
  const greedy = compressed(uint32(0xffff_ffff));
  for (const bytes of [bomb, cut, greedy, Buffer.alloc(0), Buffer.from('no deflate at all')]) {
    t.throws(() => headerReader()(bytes), { instanceOf: RangeError });
  }
});

test('an empty block reads as no headers, first or later', (t) => {
  const read = headerReader();
  t.is(read(emptyBlock(true)).size, 0);
  t.is(read(emptyBlock(false)).size, 0);
  t.is(inflateRawSync(emptyBlock(false), { finishFlush: constants.Z_SYNC_FLUSH }).length, 4);
});

test('blocks of chance are headers or refused, never anything else', (t) => {
  const sent = compressed(
    block([
      ['streamType', 'stdin'],
      ['port', '80'],
    ]),
  );
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(sent);
    for (let i = 0; i < 3; i++) bytes[randomInt(bytes.length)] = randomInt(256);
    try {
      headerReader()(bytes);
    } catch (error) {
      t.true(error instanceof RangeError, bytes.toString('hex'));
    }
  }
  t.pass();
});
