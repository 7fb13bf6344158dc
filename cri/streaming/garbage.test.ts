import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { serveSpdy } from '../spdy/connection.ts';
import { data, openFrame } from '../spdy/examples.ts';
import { goAwayFrame, pingFrame, RESET, resetFrame } from '../spdy/frame.ts';
import { tunnelOf } from '../websocket/connection.ts';
import { openChannels } from './websocket-channels.ts';

const rounds = 400;
const seed = Number(process.env['BERTH_SEED'] ?? Date.now() % 0x7fff_ffff);

/** Numbers that a seed determines (xorshift32). */
function numbers(from: number): (below: number) => number {
  let state = from | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const spdySession = Buffer.concat([
  ...[openFrame(1, 'error'), openFrame(3, 'stdin'), data(3, 'hello'), pingFrame(1), openFrame(5, 'stdout')],
  ...[data(3, 'x'.repeat(300), true), resetFrame(5, RESET.cancel), goAwayFrame(0)],
]);

/** Frames of a WebSocket client, masked with zeros. */
const webSocketSession = Buffer.concat(
  ['\0stdin', '\x04{"Width":1,"Height":2}', '\0more', '\xff\0'].flatMap((text) => {
    const payload = Buffer.from(text, 'latin1');
    return [Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0]), payload, Buffer.from('898000000000', 'hex')];
  }),
);

/** The session with some bytes changed, dropped or doubled, in pieces of any size. */
function spoilt(session: Buffer, random: (below: number) => number): Buffer[] {
  let bytes = Buffer.from(session);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(bytes.length);
    const kind = random(3);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(20))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random(40)))]);
  }
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random(200);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const servers: Record<string, [session: Buffer, serve: (transport: Duplex) => void]> = {
  SPDY: [spdySession, (transport) => void serveSpdy(transport, ({ body }) => body.resume().writable)],
  'SPDY in a WebSocket': [
    webSocketSession,
    (transport) => void serveSpdy(tunnelOf(transport), ({ body }) => body.resume().writable),
  ],
  channels: [
    webSocketSession,
    (transport) => {
      const channels = openChannels(transport, 'v5.channel.k8s.io');
      for (const channel of [0, 4]) channels.open(channel).resume();
    },
  ],
};

for (const [name, [session, serve]] of Object.entries(servers)) {
  test(`spoilt bytes of a ${name} client harm its connection alone, which ends with it`, async (t) => {
    t.log(`BERTH_SEED=${seed}`);
    const random = numbers(seed);
    for (let round = 0; round < rounds; round++) {
      const [client, transport] = duplexPair() as [Duplex, Duplex];
      client.on('error', () => undefined).resume();
      serve(transport);
      for (const piece of spoilt(session, random)) if (client.writable) client.write(piece);
      client.end();
      for (let i = 0; i < 10 && !transport.destroyed; i++) await turn();
      t.true(transport.destroyed, `round ${round}`);
    }
  });
}
