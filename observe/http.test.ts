import { once } from 'node:events';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../api/errors.ts';
import { type ObservationOptions, serveObservation } from './http.ts';

async function serve(t: ExecutionContext, options: Partial<ObservationOptions> = {}): Promise<string> {
  const server = await serveObservation({
    address: '127.0.0.1:0', render: () => Promise.resolve('berth_up 1\n'), unhealthy: () => undefined, ...options,
  });
  t.teardown(() => server.close());
  return `http://${server.address}`;
}

test('/metrics gives the page, with the content type of Prometheus', async (t) => {
  const response = await fetch(`${await serve(t)}/metrics?x=1`);
  t.is(response.status, 200);
  t.regex(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  t.is(await response.text(), 'berth_up 1\n');
});

test('/healthz is 200 while the daemon can work, and says why it cannot otherwise', async (t) => {
  let reason: string | undefined;
  const url = `${await serve(t, { unhealthy: () => reason })}/healthz`;
  t.is((await fetch(url)).status, 200);
  reason = 'engine is away';
  const response = await fetch(url);
  t.is(response.status, 503);
  t.is(await response.text(), 'engine is away\n');
});

test('other paths, other methods and a page that fails have their own status', async (t) => {
  const url = await serve(t, { render: () => Promise.reject(new Error('no page')) });
  t.is((await fetch(`${url}/`)).status, 404);
  t.is((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
  t.is((await fetch(`${url}/metrics`)).status, 500);
});

test('a taken address is told apart from other failures', async (t) => {
  const url = await serve(t);
  const taken = await t.throwsAsync(serve(t, { address: url.slice('http://'.length) }));
  t.true(isKind(taken, 'in-use'));
  const foreign = await t.throwsAsync(serve(t, { address: '192.0.2.1:9537' }));
  t.true(isKind(foreign, 'unavailable'));
});

test('a header that never ends is refused', async (t) => {
  const { hostname, port } = new URL(await serve(t));
  const socket = connect(Number(port), hostname);
  socket.write(`GET /metrics HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}`);
  const [chunk] = await once(socket, 'data');
  t.regex(String(chunk), /^HTTP\/1\.1 431 /);
  socket.destroy();
});
