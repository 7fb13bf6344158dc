import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { MAX_STREAMS, type SpdyStream, serveSpdy } from './connection.ts';
import { data, openFrame } from './examples.ts';
import { dataHead, goAwayFrame, pingFrame, RESET, replyFrame, resetFrame } from './frame.ts';
import { emptyBlock } from './header.ts';

/** A served connection: the client's end of it, what the client got so far, and the streams it opened. */
function serve(accept: (stream: SpdyStream) => boolean = () => true) {
  const [client, transport] = duplexPair() as [Duplex, Duplex];
  const streams: SpdyStream[] = [];
  const spdy = serveSpdy(transport, (stream) => {
    streams.push(stream);
    return accept(stream);
  });
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  const got = async (): Promise<string> => {
    for (let i = 0; i < 10; i++) await turn();
    return Buffer.concat(chunks.splice(0)).toString('hex');
  };
  return { client, transport, streams, spdy, got };
}

const hex = (...frames: Buffer[]): string => Buffer.concat(frames).toString('hex');

test('a stream is replied to, carries both ways and ends half by half without a reset', async (t) => {
  const { client, streams, got } = serve();
  client.write(joined(openFrame(1, 'stdin'), data(1, 'to '), data(1, 'you', true)));
  t.is(await got(), hex(replyFrame(1, emptyBlock(true))));
  const [stream] = streams;
  t.is(stream?.headers.get('streamtype'), 'stdin');
  let text = '';
  stream?.body.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await got();
  t.is(text, 'to you');
  stream?.body.end('back');
  t.is(await got(), hex(data(1, 'back'), dataHead(1, 0, true)));
});

test('later streams are replied to with blocks of the same compression', async (t) => {
  const { client, got } = serve();
  client.write(joined(openFrame(1, 'a'), openFrame(3, 'b')));
  t.is(await got(), hex(replyFrame(1, emptyBlock(true)), replyFrame(3, emptyBlock(false))));
});

test('streams that are refused, too many or misnumbered are reset', async (t) => {
  const { client, got, streams } = serve(({ headers }) => headers.get('streamtype') !== 'no');
  client.write(joined(openFrame(1, 'no'), openFrame(1, 'again', false), openFrame(2, 'even')));
  t.is(
    await got(),
    hex(
      replyFrame(1, emptyBlock(true)),
      resetFrame(1, RESET.cancel),
      resetFrame(1, RESET.protocolError),
      resetFrame(2, RESET.protocolError),
    ),
  );
  for (let i = 0; i <= MAX_STREAMS; i++) client.write(openFrame(3 + 2 * i, 'yes'));
  t.true((await got()).endsWith(hex(resetFrame(3 + 2 * MAX_STREAMS, RESET.refused))));
  t.is(streams.length, 1 + MAX_STREAMS);
});

test('a stream that nobody reads holds the transport up until it is read', async (t) => {
  const { client, transport, streams, got } = serve();
  client.write(openFrame(1, 'data'));
  const piece = 'x'.repeat(64 << 10);
  for (let i = 0; i < 8; i++) client.write(data(1, piece));
  await got();
  t.true(transport.isPaused());
  let read = 0;
  streams[0]?.body.on('data', (bytes: Buffer) => (read += bytes.length));
  await got();
  t.is(read, 8 * piece.length);
  t.false(transport.isPaused());
});

test('a reset of the client destroys its stream, and one that held the others up lets them go', async (t) => {
  const { client, transport, streams, got } = serve();
  client.write(joined(openFrame(1, 'data'), data(1, 'x'.repeat(300 << 10))));
  await got();
  t.true(transport.isPaused());
  streams[0]?.body.destroy();
  client.write(joined(openFrame(3, 'data'), resetFrame(3, RESET.cancel), data(3, 'late')));
  t.is(await got(), hex(resetFrame(1, RESET.cancel), replyFrame(3, emptyBlock(false))));
  t.true(streams[1]?.body.destroyed);
});

test('a ping is answered, and ours have even numbers', async (t) => {
  const { client, spdy, got } = serve();
  client.write(joined(pingFrame(7), pingFrame(2)));
  t.is(await got(), hex(pingFrame(7)));
  spdy.ping();
  spdy.ping();
  t.is(await got(), hex(pingFrame(2), pingFrame(4)));
});

test('a client that says it opens no more streams keeps those it has', async (t) => {
  const { client, streams, got } = serve();
  client.write(joined(openFrame(1, 'stdin'), goAwayFrame(0), data(1, 'still', true)));
  await got();
  t.is(streams[0]?.body.read()?.toString(), 'still');
  streams[0]?.body.end('here');
  t.is(await got(), hex(data(1, 'here'), dataHead(1, 0, true)));
});

test('closing resets what is open, then says goodbye', async (t) => {
  const { client, spdy, streams, got } = serve();
  client.write(joined(openFrame(1, 'a'), openFrame(3, 'b'), data(1, '', true)));
  await got();
  streams[0]?.body.resume().end();
  t.is(await got(), hex(dataHead(1, 0, true)));
  const ended = once(client, 'end');
  spdy.close();
  spdy.close();
  t.is(await got(), hex(resetFrame(3, RESET.cancel), goAwayFrame(3)));
  await ended;
});

test('a client that speaks no SPDY, goes away or reads no answers is dropped with its streams', async (t) => {
  const otherVersion = (client: Duplex): void => void client.write(Buffer.from('8002000100000000', 'hex'));
  const leave = (client: Duplex): void => void client.end();
  const flood = (client: Duplex): void => {
    client.pause().write(Buffer.concat(Array.from({ length: 20_000 }, () => pingFrame(1))));
  };
  for (const harm of [otherVersion, leave, flood]) {
    const { client, transport, streams, got } = serve();
    client.write(openFrame(1, 'a'));
    await got();
    harm(client);
    await got();
    t.true(transport.destroyed && streams[0]?.body.destroyed, harm.name);
  }
});

function joined(...frames: Buffer[]): Buffer {
  return Buffer.concat(frames);
}
