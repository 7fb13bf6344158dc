import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { type Answer, type Seen, startTestRegistry, type TestRegistry } from '../fixtures/registry.ts';
import type { AuthConfig, Image } from '../records/record.ts';

const signal = new AbortController().signal;
/** Bytes that gzip would not make small, so that a connection can break in the middle of them. */
const built = buildImage({ layers: [{ a: 'x'.repeat(3_000_000) }, { b: '2' }], compression: 'none' });
const layer = built.blobs[1] ?? built.top;
let opened: Opened;
let mirror: TestRegistry;
let origin: TestRegistry;
test.beforeEach(async () => {
  [mirror, origin] = await Promise.all([startTestRegistry(), startTestRegistry()]);
  for (const registry of [mirror, origin]) registry.serve('team/app', 'v1', built);
  opened = await openTestImages();
  opened.writeConf(
    `[[registry]]\nprefix = "hub.example"\nlocation = "${origin.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\n`,
  );
});
test.afterEach.always(async () => {
  mirror.close();
  origin.close();
  await opened.close();
});
const pull = (auth?: AuthConfig): Promise<Image> =>
  opened.images.pull({ reference: 'hub.example/team/app:v1', signal, ...(auth === undefined ? {} : { auth }) });
const ofLayer = ({ path }: Seen): boolean => path.endsWith(layer.digest);
const downloads = (registry: TestRegistry): string[] =>
  registry.seen.filter((request) => ofLayer(request) && request.range !== 'bytes=0-0').map(({ range }) => range);
/** Half of the layer, then the connection breaks. */
const half: Answer = {
  status: 200,
  headers: { 'content-length': `${layer.bytes.length}` },
  body: layer.bytes,
  closeAfter: layer.bytes.length >> 1,
};

test.serial('the registry behind a mirror that has all is never asked, nor are its certificates and credentials read', async (t) => {
  const folder = join(opened.root, 'certs.d', origin.host);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'hosts.toml'), 'server = 7');
  await pull({ auth: 'no base64 of user:password', serverAddress: origin.host });
  t.deepEqual(origin.seen, []);
});

test.serial('a mirror that goes away after the manifest is left for the registry', async (t) => {
  mirror.bend = ({ path }) => (path.includes('/blobs/') ? { status: 502 } : undefined);
  await pull();
  t.true(mirror.seen.some(({ path }) => path.includes('/manifests/')));
  t.false(origin.seen.some(({ path }) => path.includes('/manifests/')));
});

test.serial('a mirror without one of the layers is left for the registry', async (t) => {
  mirror.bend = (request) => (ofLayer(request) ? { status: 404 } : undefined);
  await pull();
  t.deepEqual(downloads(origin), ['']);
});

test.serial('a layer that a mirror breaks off is gone on with at the registry, from the next byte on', async (t) => {
  let begun = false;
  mirror.bend = (request) => {
    if (!ofLayer(request)) return undefined;
    if (begun) return { status: 404 };
    if (request.range === 'bytes=0-0') return undefined;
    begun = true;
    return half;
  };
  await pull();
  t.is(downloads(origin).length, 1);
  const [, from] = /^bytes=(\d+)-/.exec(downloads(origin)[0] ?? '') ?? [];
  t.true(Number(from) > 1_000_000, `asked for ${downloads(origin)[0]}`);
});

test.serial('a mirror that serves other bytes than the manifest names is left for the registry', async (t) => {
  const changed = Buffer.from(layer.bytes);
  changed[changed.length >> 1] = 0;
  mirror.bend = (request) =>
    ofLayer(request) ? { status: request.range === 'bytes=0-0' ? 206 : 200, headers: { 'content-length': `${changed.length}` }, body: changed } : undefined;
  await pull();
  t.deepEqual(downloads(origin), ['']);
  t.deepEqual(opened.kept().filter((name) => name.startsWith('tmp/')), []);
});

test.serial('a layer whose content is not what the configuration says is refused at once: no other registry has it otherwise', async (t) => {
  const lying = buildImage({ layers: [{ a: '1' }], diffIds: [`sha256:${'1'.repeat(64)}`] });
  for (const registry of [mirror, origin]) registry.serve('team/app', 'v1', lying);
  const error = await t.throwsAsync(pull(), { message: /diffID should be sha256:1111.*the blob is the one that the manifest names/ });
  t.true(isKind(error, 'inconsistent'), String(error));
  t.deepEqual([origin.seen, opened.kept()], [[], []]);
  t.is(mirror.seen.filter(({ path, range }) => path.endsWith(lying.blobs[1]?.digest ?? '') && range !== 'bytes=0-0').length, 1);
});

test.serial('a mirror that goes silent in the middle of a layer is left within the time that is set, the layer gone on with elsewhere', async (t) => {
  const impatient = await openTestImages({ stallMs: 300 });
  impatient.writeConf(readFileSync(join(opened.root, 'registries.conf'), 'utf8'));
  mirror.bend = (request) =>
    ofLayer(request) && request.range !== 'bytes=0-0'
      ? { status: request.range === '' ? 200 : 206, headers: { 'content-range': `bytes ${/\d+/.exec(request.range)?.[0] ?? 0}-${layer.bytes.length - 1}/${layer.bytes.length}` }, body: request.range === '' ? layer.bytes.subarray(0, layer.bytes.length >> 1) : '', stall: true }
      : undefined;
  await impatient.images.pull({ reference: 'hub.example/team/app:v1', signal });
  t.regex(downloads(origin)[0] ?? '', /^bytes=\d{7}-/);
  await impatient.close();
});

test.serial('when nobody has a layer the error tells what each registry said, and nothing is kept', async (t) => {
  mirror.bend = (request) => (ofLayer(request) ? { status: 404 } : undefined);
  origin.bend = (request) => (ofLayer(request) ? { status: 403 } : undefined);
  const error = await t.throwsAsync(pull(), { message: new RegExp(`${mirror.host}.*404|${mirror.host}.*does not exist`) });
  t.regex(String(error), new RegExp(`${origin.host}.*403`));
  t.true(isKind(error, 'denied'));
  t.deepEqual(opened.kept(), []);
});

test.serial('a token that expires in the middle of a layer is replaced, and the layer goes on from the next byte on', async (t) => {
  let [issued, begun] = [0, false];
  mirror.bend = (request) => {
    const { path, authorization, range } = request;
    if (path.startsWith('/token')) return { status: 200, body: JSON.stringify({ token: `T${++issued}`, expires_in: 300 }) };
    if (authorization !== `Bearer T${begun ? 2 : 1}`) {
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${mirror.host}/token",service="s"` } };
    }
    if (!ofLayer(request) || range === 'bytes=0-0' || begun) return undefined;
    begun = true;
    return half;
  };
  await pull();
  t.is(issued, 2);
  t.deepEqual(downloads(origin), []);
  const resumed = mirror.seen.filter((request) => ofLayer(request) && request.authorization === 'Bearer T2' && request.range !== 'bytes=0-0');
  t.is(resumed.length, 1);
  t.regex(resumed[0]?.range ?? '', /^bytes=\d{7}-/);
  t.false(opened.logged.some((line) => /T1|T2/.test(line)));
});
