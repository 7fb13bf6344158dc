import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { openChannels } from './websocket-channels.ts';

/** A client's messages as one buffer: frames with the FIN bit given, masked with zeros. */
function frames(...messages: [opcode: number, fin: boolean, payload: Buffer | string][]): Buffer {
  return Buffer.concat(
    messages.flatMap(([opcode, fin, payload]) => [
      Buffer.from([(fin ? 0x80 : 0) | opcode, 0x80 | payload.length, 0, 0, 0, 0]),
      Buffer.from(payload),
    ]),
  );
}

function open(protocol: string) {
  const [client, socket] = duplexPair() as [Duplex, Duplex];
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  const got = async (): Promise<Buffer> => {
    for (let i = 0; i < 10; i++) await turn();
    return Buffer.concat(chunks.splice(0));
  };
  return { client, socket, got, ...openChannels(socket, protocol) };
}

const collected = (channel: Duplex): { text: string; ended: boolean } => {
  const seen = { text: '', ended: false };
  channel.on('data', (bytes: Buffer) => (seen.text += bytes.toString())).on('end', () => (seen.ended = true));
  return seen;
};

test('messages go to the channel in their first byte, however they are fragmented and cut', async (t) => {
  const bytes = frames(
    [2, true, '\0stdin '],
    [2, false, ''],
    [0, false, '\0in '],
    [0, true, 'pieces'],
    [2, true, '\x04size'],
    [2, true, ''],
    [2, true, '\x09x'],
  );
  for (let step = 1; step < bytes.length; step += 2) {
    const { client, got, open: channel } = open('v4.channel.k8s.io');
    const [stdin, resize] = [collected(channel(0)), collected(channel(4))];
    for (let at = 0; at < bytes.length; at += step) client.write(bytes.subarray(at, at + step));
    await got();
    t.deepEqual([stdin.text, resize.text], ['stdin in pieces', 'size']);
  }
});

test('base64 messages are decoded and encoded one by one', async (t) => {
  const text = (channel: number, plain: string) => `${channel}${Buffer.from(plain).toString('base64')}`;
  const [first, second] = [text(0, 'fragmented').slice(0, 6), text(0, 'fragmented').slice(6)];
  const { client, got, open: channel } = open('v4.base64.channel.k8s.io');
  const stdin = collected(channel(0));
  const stdout = channel(1);
  client.write(frames([1, true, text(0, 'one ')], [1, false, first], [0, true, second], [1, true, '0']));
  stdout.write(Buffer.from('out'));
  const sent = await got();
  t.is(stdin.text, 'one fragmented');
  t.is(sent.subarray(2).toString(), text(1, 'out'));
});

test('the fifth version ends a channel, the fourth knows no such signal', async (t) => {
  const bytes = frames(
    [2, true, '\0all'],
    [2, false, Buffer.from([255])],
    [0, true, Buffer.from([0])],
    [2, true, '\0late'],
    [2, true, Buffer.from([255, 0])],
  );
  for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io']) {
    const { client, got, open: channel } = open(protocol);
    const stdin = collected(channel(0));
    client.write(bytes);
    await got();
    const isFifth = protocol.startsWith('v5');
    t.deepEqual(stdin, isFifth ? { text: 'all', ended: true } : { text: 'alllate', ended: false });
  }
});

test('a channel that nobody reads holds the socket up, until it is read or given up', async (t) => {
  for (const release of [(channel: Duplex) => channel.resume(), (channel: Duplex) => channel.destroy()]) {
    const { client, socket, got, open: channel } = open('v4.channel.k8s.io');
    const stdin = channel(0);
    for (let i = 0; i < 4000; i++) client.write(frames([2, true, `\0${'x'.repeat(100)}`]));
    await got();
    t.true(socket.isPaused());
    release(stdin);
    await got();
    t.false(socket.isPaused());
  }
});
