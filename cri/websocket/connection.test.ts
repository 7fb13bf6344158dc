import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { serveWebSocket, tunnelOf } from './connection.ts';
import { frameHead, OPCODE, type Opcode } from './frame.ts';

/** A client's frame, masked with zeros. */
function sent(opcode: Opcode, payload: string): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
}

const received = (opcode: Opcode, payload: string | Buffer): Buffer =>
  Buffer.concat([frameHead(opcode, payload.length), Buffer.from(payload)]);

function pair() {
  const [client, socket] = duplexPair() as [Duplex, Duplex];
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  const got = async (): Promise<Buffer> => {
    for (let i = 0; i < 10; i++) await turn();
    return Buffer.concat(chunks.splice(0));
  };
  return { client, socket, got };
}

const goodbye = received(OPCODE.close, Buffer.from([0x03, 0xe8]));

test('pings are answered with their own bytes, and a goodbye with one, once', async (t) => {
  const { client, socket, got } = pair();
  const connection = serveWebSocket(socket, { text: false, onPiece: () => true });
  client.write(sent(OPCODE.ping, 'are you there'));
  t.deepEqual(await got(), received(OPCODE.pong, 'are you there'));
  const ended = once(client, 'end');
  client.write(sent(OPCODE.close, ''));
  t.deepEqual(await got(), goodbye);
  connection.close();
  connection.ping();
  t.deepEqual(await got(), Buffer.alloc(0));
  await ended;
});

test('a message is sent of its parts, as text when so agreed', async (t) => {
  for (const [text, opcode] of [
    [true, OPCODE.text],
    [false, OPCODE.binary],
  ] as const) {
    const { socket, got } = pair();
    const connection = serveWebSocket(socket, { text, onPiece: () => true });
    connection.send([Buffer.from('1'), Buffer.from('abc')], () => undefined);
    t.deepEqual(await got(), received(opcode, '1abc'));
  }
});

test('whoever takes no more is not sent more until it asks', async (t) => {
  const { client, socket, got } = pair();
  const pieces: string[] = [];
  const connection = serveWebSocket(socket, { text: false, onPiece: (bytes) => pieces.push(bytes.toString()) > 1 });
  client.write(sent(OPCODE.binary, 'one'));
  await got();
  t.true(socket.isPaused());
  client.write(sent(OPCODE.binary, 'two'));
  await got();
  t.deepEqual(pieces, ['one']);
  connection.resume();
  await got();
  t.deepEqual(pieces, ['one', 'two']);
});

test('a client that breaks the protocol or goes away is cut off', async (t) => {
  for (const harm of [
    (client: Duplex) => client.write(Buffer.from([0x82, 1, 0, 0, 0, 0])),
    (client: Duplex) => client.end(),
  ]) {
    const { client, socket, got } = pair();
    serveWebSocket(socket, { text: false, onPiece: () => true });
    harm(client);
    await got();
    t.true(socket.destroyed);
  }
});

test('a tunnel carries the bytes of all messages, and its end is a goodbye', async (t) => {
  const { client, socket, got } = pair();
  const tunnel = tunnelOf(socket);
  let text = '';
  tunnel.on('data', (bytes: Buffer) => (text += bytes.toString()));
  client.write(Buffer.concat([sent(OPCODE.binary, 'some '), sent(OPCODE.binary, ''), sent(OPCODE.binary, 'bytes')]));
  tunnel.write('back');
  t.deepEqual(await got(), received(OPCODE.binary, 'back'));
  t.is(text, 'some bytes');
  tunnel.end('last');
  t.deepEqual(await got(), Buffer.concat([received(OPCODE.binary, 'last'), goodbye]));
  client.destroy();
  await got();
  t.true(tunnel.destroyed);
});
