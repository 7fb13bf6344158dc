import { Duplex } from 'node:stream';
import { serveWebSocket, type WebSocket } from '../websocket/connection.ts';
import { CHANNEL } from './channels.ts';

/** Numbered channels in the messages of one WebSocket: the first byte of each says which (channel.k8s.io). */
export type Channels = {
  /** One channel; each write is a message. What the client sends on a channel that is not open is dropped. */
  open(channel: number): Duplex;
  ping(): void;
  close(): void;
};

/** Unread bytes of one channel at which no more is read, for the others neither. */
const CHANNEL_BUFFER_BYTES = 256 << 10;

/** The first digit of channels in base64 messages. */
const ZERO = 0x30;

/** Opens the channels of an upgraded socket; the name of the protocol says how they are written. */
export function openChannels(socket: Duplex, protocol: string): Channels {
  const text = protocol.includes('base64');
  const receivers = new Map<number, Duplex>();
  const full = new Set<Duplex>();

  function deliver(channel: number, bytes: Buffer): boolean {
    if (channel === CHANNEL.close && protocol.startsWith('v5.')) {
      bytes.forEach(close);
      return true;
    }
    const receiver = receivers.get(channel);
    if (receiver && bytes.length > 0 && !receiver.destroyed && !receiver.push(bytes)) full.add(receiver);
    return full.size === 0;
  }

  function close(channel: number): void {
    receivers.get(channel)?.push(null);
    receivers.delete(channel);
  }

  const connection: WebSocket = serveWebSocket(socket, { text, onPiece: pieceReader(text, deliver) });
  socket.once('close', () => {
    for (const receiver of receivers.values()) receiver.destroy();
  });

  return {
    open(channel) {
      const number = Buffer.from([text ? ZERO + channel : channel]);
      const makeRoom = (): void => {
        if (full.delete(duplex) && full.size === 0) connection.resume();
      };
      const duplex: Duplex = new Duplex({
        readableHighWaterMark: CHANNEL_BUFFER_BYTES,
        read: makeRoom,
        write: (bytes: Buffer, _, done) =>
          connection.send([number, text ? Buffer.from(bytes.toString('base64')) : bytes], done),
        destroy: (error, done) => {
          makeRoom();
          done(error);
        },
      });
      receivers.set(channel, duplex);
      return duplex.on('error', () => undefined);
    },
    ping: connection.ping,
    close: connection.close,
  };
}

/** Takes the channel off the front of each message; base64 is decoded in whole groups of four. */
function pieceReader(
  text: boolean,
  deliver: (channel: number, bytes: Buffer) => boolean,
): (bytes: Buffer, first: boolean) => boolean {
  let channel: number | undefined;
  let digits = '';
  return (piece, first) => {
    if (first) {
      channel = undefined;
      digits = '';
    }
    const named = channel === undefined ? piece[0] : channel;
    if (named === undefined) return true;
    const bytes = channel === undefined ? piece.subarray(1) : piece;
    channel = named;
    if (!text) return deliver(channel, bytes);
    digits += bytes.toString('latin1');
    const whole = digits.length - (digits.length % 4);
    const decoded = Buffer.from(digits.slice(0, whole), 'base64');
    digits = digits.slice(whole);
    return deliver(channel - ZERO, decoded);
  };
}
