import type { Duplex } from 'node:stream';
import type { Wants } from './ask.ts';
import { CHANNEL } from './channels.ts';
import type { Client } from './client.ts';
import { openChannels } from './websocket-channels.ts';

/** The client of an exec or attach on an upgraded WebSocket. Its first message, an empty one, says that we are here. */
export function webSocketClient(socket: Duplex, protocol: string, wants: Wants): Client {
  const { open, ping, close } = openChannels(socket, protocol);
  const client: Client = {
    stdin: wants.stdin ? open(CHANNEL.stdin) : null,
    stdout: wants.stdout ? open(CHANNEL.stdout) : null,
    stderr: wants.stderr ? open(CHANNEL.stderr) : null,
    error: open(CHANNEL.error),
    resize: wants.tty ? open(CHANNEL.resize) : null,
    ping,
    close,
  };
  (client.stdout ?? client.stderr ?? client.error).write(Buffer.alloc(0));
  return client;
}
