import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import test from 'ava';
import { makeAuthority, makeCertificate, type Pair } from './harness/certificates.ts';
import { crictl } from './harness/crictl.ts';
import { echoIn } from './harness/echo.ts';
import { runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { ask, startCrictl } from './harness/streams.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-tls-'));
test.after.always(() => {
  rmSync(folder, { recursive: true });
});
const [authority, stranger] = [makeAuthority(folder, 'authority'), makeAuthority(folder, 'stranger')];
const [first, second, client] = ['first', 'second', 'client'].map((name) => makeCertificate(folder, name, authority)) as [Pair, Pair, Pair];
const foreign = makeCertificate(folder, 'foreign', stranger);
const shown: Pair = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
show(first);

const files = ['--stream-tls-cert', shown.cert, '--stream-tls-key', shown.key, '--stream-tls-client-ca', authority.cert];
const stage = story({ daemon: { args: files } });

/** Puts another pair where the daemon looks, each file in one step. */
function show(pair: Pair): void {
  for (const file of ['cert', 'key'] as const) {
    copyFileSync(pair[file], `${shown[file]}.new`);
    renameSync(`${shown[file]}.new`, shown[file]);
  }
}

const tls = ({ cert, key } = client, ca = authority.cert): string[] => ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key];

/** What the server shows to a client with that certificate: the name in its own; rejects when it turns the client away. */
async function handshake(url: string, options: ConnectionOptions = {}): Promise<string> {
  const { hostname, port } = new URL(url);
  const identity = { cert: readFileSync(client.cert), key: readFileSync(client.key), ca: readFileSync(authority.cert) };
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ...identity, ...options });
    socket.on('error', reject).on('end', () => {
      reject(new Error('closed'));
    });
    // An answer, also that to nonsense, shows that the client was let in.
    socket.on('secureConnect', () => socket.write('x\r\n\r\n'));
    socket.on('data', () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
  });
}

test('exec, attach and port-forward go over TLS, both ways known', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'secure');
  const container = await runScript(daemon, pod, 'c', 'while :; do echo tick; sleep 0.1; done');
  for (const transport of ['spdy', 'websocket']) {
    const result = await crictl(daemon, 'exec', ...tls(), '-r', transport, container, 'sh', '-c', 'echo out; exit 7');
    t.is(result.stdout, 'out\n', result.stderr);
    t.regex(result.stderr, /exit code 7/);
    const attached = startCrictl(daemon, 'attach', ...tls(), '-r', transport, container);
    t.teardown(() => attached.child.kill('SIGKILL'));
    await until(() => attached.stdout().includes('tick'), 60_000, 'the output of the container');
  }
  await echoIn(t, pod, '127.0.0.1', 8080);
  const port = await freePort();
  const forward = startCrictl(daemon, 'port-forward', ...tls(), pod.id, `${port}:8080`);
  t.teardown(() => forward.child.kill('SIGKILL'));
  await until(() => forward.stdout().includes('Forwarding from'), 60_000, 'crictl to listen');
  t.is(await ask(port, 'secret'), 'heard secret');
});

test('a client without a certificate, with a foreign one or an old protocol is turned away', async (t) => {
  const { daemon } = stage();
  const container = await runScript(daemon, await runPod(daemon, 'turned-away'), 'c', 'sleep 1000');
  const { url } = await daemon.cri.call('Exec', { container_id: container, cmd: ['true'], stdout: true });
  t.regex(url, /^https:\/\/127\.0\.0\.1:\d+\/exec\//);
  t.is(await handshake(url), 'first');
  t.is(await handshake(url, { maxVersion: 'TLSv1.2' }), 'first');
  await t.throwsAsync(handshake(url, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }));
  await t.throwsAsync(handshake(url, { cert: '', key: '' }));
  await t.throwsAsync(handshake(url, { cert: readFileSync(foreign.cert), key: readFileSync(foreign.key) }));
  await t.throwsAsync(fetch(url.replace('https', 'http')));
  t.not((await crictl(daemon, 'exec', ...tls(foreign), container, 'true')).code, 0);
  t.not((await crictl(daemon, 'exec', ...tls(client, stranger.cert), container, 'true')).code, 0);
  t.is((await crictl(daemon, 'exec', ...tls(), container, 'true')).code, 0);
});

test('a new certificate is shown from the next URL on; a broken one is logged and changes nothing', async (t) => {
  const { daemon } = stage();
  const container_id = await runScript(daemon, await runPod(daemon, 'renewed'), 'c', 'sleep 1000');
  const urlOf = async (): Promise<string> =>
    (await daemon.cri.call('Exec', { container_id, cmd: ['true'], stdout: true })).url;
  const running = startCrictl(daemon, 'exec', '-i', ...tls(), container_id, 'cat');
  show(second);
  t.is(await handshake(await urlOf()), 'second');
  writeFileSync(shown.cert, 'nonsense');
  t.is(await handshake(await urlOf()), 'second');
  t.regex(readFileSync(daemon.logPath, 'utf8'), /ERROR the new certificate of the streaming server does not work/);
  show(first);
  t.is(await handshake(await urlOf()), 'first');
  running.stdin.end('still here');
  t.is(await running.ended, 0, running.stderr());
  t.is(running.stdout(), 'still here');
});
