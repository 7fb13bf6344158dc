import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { freePort, listens, ready, start, type Running } from './harness/process.ts';
import { startRegistry, type Registry } from './harness/registry.ts';
import { story } from './harness/story.ts';
import { startTlsFront, type TlsFront } from './harness/tls-front.ts';
import { imageStore } from './images/store.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-registries-'));
const certs = join(folder, 'certs.d');
const key = 'a key that nobody logs';
/** Not on the loopback interface, which is never asked by way of a proxy. */
const device = `berth${process.pid % 100_000}`;
const address = `198.18.${process.pid % 250}.1`;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });

let proxyPort = 0;
let tinyproxy: Running;
let registry: Registry;
let open: TlsFront;
let guarded: TlsFront;
let trusted: TlsFront;

test.before(async () => {
  mkdirSync(certs);
  ip('link', 'add', device, 'type', 'bridge');
  ip('address', 'add', `${address}/32`, 'dev', device);
  ip('link', 'set', device, 'up');
  registry = await startRegistry({ directory: folder, storage: (await imageStore()).storage });
  open = await startTlsFront({ directory: folder, address, behind: registry.host });
  guarded = await startTlsFront({ directory: folder, address, behind: registry.host, key });
  trusted = await startTlsFront({ directory: folder, address, behind: registry.host });
  proxyPort = await freePort();
  const config = join(folder, 'tinyproxy.conf');
  writeFileSync(config, `Port ${proxyPort}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth node secret-of-proxy\nLogLevel Connect\n`);
  tinyproxy = start('tinyproxy', ['-d', '-c', config], join(folder, 'tinyproxy.log'));
  await ready(tinyproxy, () => listens('127.0.0.1', proxyPort));
  process.env['HTTPS_PROXY'] = `http://node:secret-of-proxy@127.0.0.1:${proxyPort}`;
  process.env['NO_PROXY'] = guarded.host;
  process.env['SSL_CERT_FILE'] = trusted.ca;
});
const stage = story({ images: [], daemon: { args: ['--certs-dirs', certs] } });
test.afterEach.always(() => {
  for (const host of [open.host, guarded.host, registry.host, '_default']) rmSync(join(certs, host), { recursive: true, force: true });
});
test.after.always('the servers end', async () => {
  for (const server of [tinyproxy, open, guarded, trusted, registry]) await server?.stop();
  ip('link', 'delete', device);
  rmSync(folder, { recursive: true });
});

function folderOf(host: string): string {
  const path = join(certs, host);
  mkdirSync(path);
  return path;
}
async function pull(host: string): Promise<void> {
  const image = { image: `${host}/berth/zstd:1` };
  await stage().daemon.cri.call('PullImage', { image });
  await stage().daemon.cri.call('RemoveImage', { image });
}

test('a registry is believed when certs.d has its authority, and all of the pull goes through the proxy', async (t) => {
  const failed = await t.throwsAsync(pull(open.host));
  t.regex(failed.message, /RegistryUnavailable.*certificate/i);
  copyFileSync(open.ca, join(folderOf(open.host), 'ca.crt'));
  const before = readFileSync(tinyproxy.logPath, 'utf8').length;
  await pull(open.host);
  const connects = readFileSync(tinyproxy.logPath, 'utf8').slice(before).match(/CONNECT \S+/g) ?? [];
  t.true(connects.length >= 2, 'both the daemon and its engine ask by way of it');
  t.deepEqual([...new Set(connects)], [`CONNECT ${open.host}`]);
});

test('a registry is believed whose authority is in the file of the environment, by daemon and engine', async (t) => {
  t.false(existsSync(join(certs, trusted.host)));
  await t.notThrowsAsync(pull(trusted.host));
});

test('a registry gets the client certificate of certs.d and the headers of hosts.toml', async (t) => {
  const path = folderOf(guarded.host);
  copyFileSync(guarded.ca, join(path, 'ca.crt'));
  await t.throwsAsync(pull(guarded.host));
  copyFileSync(guarded.clientCertificate, join(path, 'client.cert'));
  copyFileSync(guarded.clientKey, join(path, 'client.key'));
  await t.throwsAsync(pull(guarded.host), { message: /403/ });
  writeFileSync(join(path, 'hosts.toml'), `[header]\nx-key = "${key}"\n`);
  await t.notThrowsAsync(pull(guarded.host));
  t.false(readFileSync(tinyproxy.logPath, 'utf8').includes(`CONNECT ${guarded.host}`), 'NO_PROXY names it');
});

test('the mirrors of hosts.toml are asked in their order, with their own path, certificates and headers', async (t) => {
  const absent = `127.0.0.1:${await freePort()}`;
  writeFileSync(
    join(folderOf(absent), 'hosts.toml'),
    `server = "http://${absent}"
[host."https://${guarded.host}/hub"]
override_path = true
ca = "${guarded.ca}"
client = [["${guarded.clientCertificate}", "${guarded.clientKey}"]]
[host."https://${guarded.host}/hub".header]
x-key = "${key}"
`,
  );
  await t.notThrowsAsync(pull(absent));
  t.regex(readFileSync(join(guarded.ca, '../access.log'), 'utf8'), /GET \/hub\/berth\/zstd\/manifests\/1\?ns=127\.0\.0\.1%3A\d+ /);
  rmSync(join(certs, absent), { recursive: true });
});

test('a mirror that may not resolve tags is asked for digests alone, and _default counts for registries without a folder', async (t) => {
  const absent = `127.0.0.1:${await freePort()}`;
  writeFileSync(join(folderOf('_default'), 'hosts.toml'), `[host."http://${registry.host}"]\ncapabilities = ["pull"]\n`);
  await t.throwsAsync(pull(absent), { message: /RegistryUnavailable/ });
  const digest = stage().digests['berth/zstd:1']?.top ?? '';
  const image = { image: `${absent}/berth/zstd@${digest}` };
  await t.notThrowsAsync(stage().daemon.cri.call('PullImage', { image }));
  await stage().daemon.cri.call('RemoveImage', { image });
});

test('a malformed hosts.toml is named', async (t) => {
  writeFileSync(join(folderOf(open.host), 'hosts.toml'), 'server = 7');
  await t.throwsAsync(pull(open.host), { message: new RegExp(`${open.host}/hosts.toml`) });
});

test('no secret of a proxy, a header or a key stands in the log', (t) => {
  const log = readFileSync(stage().daemon.logPath, 'utf8');
  for (const secret of ['secret-of-proxy', key, 'PRIVATE KEY']) t.false(log.includes(secret));
  t.true(existsSync(tinyproxy.logPath));
});
