import test from 'ava';
import { type ErrorKind, isKind } from '../../api/errors.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { type Answer, type Seen, startTestRegistry, type TestRegistry } from '../fixtures/registry.ts';
import type { Image } from '../records/record.ts';

const signal = new AbortController().signal;
const built = buildImage({ layers: [{ a: 'x'.repeat(100_000) }], compression: 'none' });
const [config = built.top, layer = built.top] = built.blobs;
const password = 'hunter2-secret';
let opened: Opened;
let registry: TestRegistry;
test.beforeEach(async () => {
  registry = await startTestRegistry();
  registry.serve('app', 'v1', built);
  opened = await openTestImages();
});
test.afterEach.always(async () => {
  registry.close();
  await opened.close();
});
const pull = (): Promise<Image> =>
  opened.images.pull({ reference: `${registry.host}/app:v1`, signal, auth: { username: 'user', password } });

const manifest = ({ path }: Seen): boolean => path.includes('/manifests/');
const ofConfig = ({ path }: Seen): boolean => path.endsWith(config.digest);
const ofLayer = ({ path }: Seen): boolean => path.endsWith(layer.digest);
const html: Answer = { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>sign in</html>' };
const loop = ({ path }: Seen): Answer => ({ status: 307, headers: { location: path } });
const huge: Answer = { status: 200, body: Buffer.alloc(9 << 20, ' ') };
const longHeader: Answer = { status: 200, headers: { 'x-long': 'x'.repeat(1 << 20) } };
const whole = (bytes: Buffer, length = bytes.length): Answer => ({ status: 200, headers: { 'content-length': `${length}` }, body: bytes });

const lies: [title: string, when: (request: Seen) => boolean, answer: Answer | ((request: Seen) => Answer), kind: ErrorKind, message: RegExp][] = [
  ['a page instead of a manifest', manifest, html, 'registry-unavailable', /text\/html instead of a manifest/],
  ['a page instead of a configuration', ofConfig, html, 'corrupt', /answered with more than|served sha256:/],
  ['a page instead of a layer', ofLayer, html, 'registry-unavailable', /ended after 20 of \d+ bytes/],
  ['a manifest that redirects to itself', manifest, loop, 'registry-unavailable', /more than 5 redirects/],
  ['a layer that redirects to itself', ofLayer, loop, 'registry-unavailable', /more than 5 redirects/],
  ['a manifest without end', manifest, { status: 200, endless: true }, 'corrupt', /more than 4194304 bytes/],
  ['a configuration without end', ofConfig, { status: 200, endless: true }, 'corrupt', /more than \d+ bytes/],
  ['a layer without end', ofLayer, { status: 200, endless: true }, 'corrupt', /sends more/],
  ['a huge manifest', manifest, huge, 'corrupt', /more than 4194304 bytes/],
  ['headers without end at the manifest', manifest, longHeader, 'registry-unavailable', /header/i],
  ['a layer that is shorter than it says', ofLayer, whole(layer.bytes.subarray(1)), 'corrupt', /should have \d+ bytes, the registry has \d+/],
  ['a layer that is longer than it says', ofLayer, whole(Buffer.concat([layer.bytes, Buffer.from('x')])), 'corrupt', /the registry has \d+/],
  ['a layer with other bytes', ofLayer, whole(Buffer.alloc(layer.bytes.length)), 'corrupt', /should be sha256:/],
  ['a range that nobody asked for', (request) => ofLayer(request) && request.range === '', { status: 206, headers: { 'content-range': 'bytes 7-9/10', 'content-length': '3' }, body: 'abc' }, 'unavailable', /another range/],
  ['a manifest of another kind', manifest, { status: 200, body: '{"schemaVersion":1}' }, 'unsupported', /schema version 1/],
  ['JSON that is no manifest', manifest, { status: 200, body: '[]' }, 'corrupt', /no object/],
];
for (const [title, when, answer, kind, message] of lies) {
  test.serial(`a registry that serves ${title} is refused, nothing is kept, and an honest answer later is taken`, async (t) => {
    registry.bend = (request) => (when(request) ? (typeof answer === 'function' ? answer(request) : answer) : undefined);
    const error = await t.throwsAsync(pull(), { message });
    t.true(isKind(error, kind), String(error));
    t.deepEqual([opened.kept(), opened.images.list()], [[], []]);
    t.false([String(error), ...opened.logged].join('\n').includes(password));
    registry.bend = () => undefined;
    t.is((await pull()).id, built.id);
  });
}

test.serial('a manifest that is redirected to another host is read there, and the credentials stay', async (t) => {
  const elsewhere = await startTestRegistry();
  elsewhere.serve('app', 'v1', built);
  registry.bend = (request) => {
    if (request.authorization === '') return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    return manifest(request) ? { status: 302, headers: { location: `http://${elsewhere.host}${request.path}` } } : undefined;
  };
  await pull();
  t.true(elsewhere.seen.length > 0);
  t.deepEqual(elsewhere.seen.filter(({ authorization }) => authorization !== ''), []);
  elsewhere.close();
});

test.serial('a registry that asks for a pause is left alone for that long, by manifest and by layer', async (t) => {
  const busy = new Set<string>();
  const atMs: number[] = [];
  registry.bend = (request) => {
    const what = manifest(request) ? 'manifest' : ofLayer(request) && request.range !== 'bytes=0-0' ? 'layer' : '';
    if (what === '') return undefined;
    atMs.push(performance.now());
    if (busy.has(what)) return undefined;
    busy.add(what);
    return { status: what === 'manifest' ? 429 : 503, headers: { 'retry-after': '1' } };
  };
  await pull();
  const [first = 0, second = 0, third = 0, fourth = 0] = atMs;
  t.is(atMs.length, 4);
  t.true(second - first >= 990 && fourth - third >= 990, String(atMs));
});
