import type { IncomingHttpHeaders } from 'node:http';
import { acceptOf } from '../websocket/frame.ts';
import type { StreamAsk } from './ask.ts';

/** How a client's connection goes on after its HTTP request, with the head of the answer; or why it does not. */
export type Upgrade =
  | { transport: 'spdy' | 'websocket'; protocol: string; head: string }
  | { status: number; message: string; headers: string[] };

const SPDY = 'SPDY/3.1';
const TUNNEL = 'SPDY/3.1+portforward.k8s.io';

/** Subprotocols of exec and attach: the first a client names that is here is taken; none at all is the oldest one. */
const spdyProtocols: Record<StreamAsk['kind'], readonly string[]> = {
  exec: ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'],
  attach: ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'],
  portforward: ['portforward.k8s.io'],
};

const webSocketProtocols: Record<StreamAsk['kind'], readonly string[]> = {
  exec: [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
    'v4.base64.channel.k8s.io',
    'channel.k8s.io',
    'base64.channel.k8s.io',
    '',
  ],
  attach: [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
    'v4.base64.channel.k8s.io',
    'channel.k8s.io',
    'base64.channel.k8s.io',
    '',
  ],
  portforward: [TUNNEL, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', ''],
};

/** The one protocol of port-forward that is SPDY within WebSocket messages. */
export function isTunnel(protocol: string): boolean {
  return protocol === TUNNEL;
}

/** Chooses transport and protocol for a request's headers. */
export function upgradeOf(kind: StreamAsk['kind'], headers: IncomingHttpHeaders): Upgrade {
  const wanted = headers.upgrade?.toLowerCase() ?? '';
  if (wanted === 'websocket') return webSocket(webSocketProtocols[kind], headers);
  if (wanted.includes(SPDY.toLowerCase())) return spdy(spdyProtocols[kind], headers);
  return refusal(400, `unable to upgrade: the connection must become a WebSocket or ${SPDY}, not "${wanted}"`);
}

function spdy(served: readonly string[], headers: IncomingHttpHeaders): Upgrade {
  const asked = listed(headers['x-stream-protocol-version']);
  if (asked.length === 0) return refusal(400, 'unable to upgrade: X-Stream-Protocol-Version is required');
  const protocol = asked.find((each) => served.includes(each));
  if (protocol === undefined) {
    const accepted = served.map((each) => `X-Accepted-Stream-Protocol-Versions: ${each}`);
    return refusal(403, `unable to upgrade: none of ${asked.join(', ')} is spoken, but ${served.join(', ')}`, accepted);
  }
  return { transport: 'spdy', protocol, head: switching(SPDY, [`X-Stream-Protocol-Version: ${protocol}`]) };
}

function webSocket(served: readonly string[], headers: IncomingHttpHeaders): Upgrade {
  const key = headers['sec-websocket-key'] ?? '';
  if (headers['sec-websocket-version'] !== '13') {
    return refusal(426, 'unable to upgrade: only version 13 of WebSocket is spoken', ['Sec-WebSocket-Version: 13']);
  }
  if (Buffer.from(key, 'base64').length !== 16)
    return refusal(400, 'unable to upgrade: Sec-WebSocket-Key is not 16 bytes');
  const asked = listed(headers['sec-websocket-protocol']);
  const protocol = (asked.length > 0 ? asked : ['']).find((each) => served.includes(each));
  if (protocol === undefined)
    return refusal(403, `unable to upgrade: none of ${asked.join(', ')} is spoken, but ${served.join(', ')}`);
  const chosen = protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`];
  return {
    transport: 'websocket',
    protocol,
    head: switching('websocket', [`Sec-WebSocket-Accept: ${acceptOf(key)}`, ...chosen]),
  };
}

/** The words of a header that may come several times or as a list. */
function listed(header: string | string[] | undefined): string[] {
  return [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function switching(to: string, headers: string[]): string {
  return ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', `Upgrade: ${to}`, ...headers, '', ''].join('\r\n');
}

function refusal(status: number, message: string, headers: string[] = []): Upgrade {
  return { status, message, headers };
}
