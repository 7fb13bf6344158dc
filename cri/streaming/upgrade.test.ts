import type { IncomingHttpHeaders } from 'node:http';
import test from 'ava';
import { upgradeOf } from './upgrade.ts';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const webSocket = { upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key };

test('of the SPDY protocols that a client names the first that is spoken is taken', (t) => {
  const headers = {
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v9.channel.k8s.io, v3.channel.k8s.io, v4.channel.k8s.io',
  };
  t.deepEqual(upgradeOf('exec', headers), {
    transport: 'spdy',
    protocol: 'v3.channel.k8s.io',
    head: [
      'HTTP/1.1 101 Switching Protocols',
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      'X-Stream-Protocol-Version: v3.channel.k8s.io',
      '',
      '',
    ].join('\r\n'),
  });
});

test('a WebSocket is accepted with the protocol that was chosen, and without one when none was named', (t) => {
  const named = upgradeOf('portforward', { ...webSocket, 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' });
  t.like(named, { transport: 'websocket', protocol: 'SPDY/3.1+portforward.k8s.io' });
  t.regex(
    'head' in named ? named.head : '',
    /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nSec-WebSocket-Protocol: SPDY/,
  );
  const none = upgradeOf('attach', webSocket);
  t.like(none, { transport: 'websocket', protocol: '' });
  t.notRegex('head' in none ? none.head : '', /Sec-WebSocket-Protocol/);
});

test('what cannot be upgraded is refused with a status that says why', (t) => {
  const statusOf = (kind: 'exec' | 'portforward', headers: IncomingHttpHeaders): number => {
    const upgrade = upgradeOf(kind, headers);
    return 'status' in upgrade ? upgrade.status : 101;
  };
  t.is(statusOf('exec', {}), 400);
  t.is(statusOf('exec', { upgrade: 'h2c' }), 400);
  t.is(statusOf('exec', { upgrade: 'SPDY/3.1' }), 400);
  t.is(statusOf('exec', { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'portforward.k8s.io' }), 403);
  t.is(statusOf('exec', { ...webSocket, 'sec-websocket-protocol': 'v9.channel.k8s.io' }), 403);
  t.is(statusOf('portforward', { ...webSocket, 'sec-websocket-protocol': 'v5.channel.k8s.io' }), 403);
  t.is(statusOf('exec', { ...webSocket, 'sec-websocket-version': '8' }), 426);
  t.is(statusOf('exec', { ...webSocket, 'sec-websocket-key': 'short' }), 400);
});

test('a refused SPDY client is told what is spoken', (t) => {
  const refused = upgradeOf('portforward', { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v2' });
  t.deepEqual('headers' in refused ? refused.headers : [], ['X-Accepted-Stream-Protocol-Versions: portforward.k8s.io']);
});
