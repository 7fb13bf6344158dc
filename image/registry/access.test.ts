import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { startTestRegistry, type Answer, type Seen, type TestRegistry } from '../fixtures/registry.ts';
import type { AuthConfig, Image } from '../records/record.ts';

const signal = new AbortController().signal;
const built = buildImage({ layers: [{ a: '1' }] });
const password = 'hunter2-secret';
let opened: Opened;
let registry: TestRegistry;
test.beforeEach(async () => {
  registry = await startTestRegistry();
  registry.serve('team/app', 'v1', built);
  opened = await openTestImages();
});
test.afterEach.always(async () => {
  registry.close();
  await opened.close();
});
const pull = (auth?: AuthConfig, reference = `${registry.host}/team/app:v1`): Promise<Image> =>
  opened.images.pull({ reference, signal, ...(auth === undefined ? {} : { auth }) });
const basic = `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;

/** Answers that guard the registry by bearer tokens from `/token`; `grant` tells who gets one. */
const guarded =
  (grant: (request: Seen) => boolean) =>
  (request: Seen): Answer | undefined => {
    if (request.path.startsWith('/token')) {
      return grant(request)
        ? { status: 200, body: JSON.stringify({ token: 'T0ken', expires_in: 300 }) }
        : { status: 401 };
    }
    const challenge = `Bearer realm="http://${registry.host}/token",service="test",scope="x"`;
    return request.authorization === 'Bearer T0ken'
      ? undefined
      : { status: 401, headers: { 'www-authenticate': challenge } };
  };
const tokenRequests = (): Seen[] => registry.seen.filter(({ path }) => path.startsWith('/token'));

test.serial('a token is asked for once with the scope of the repository and used until it expires', async (t) => {
  registry.bend = guarded(({ authorization }) => authorization === basic);
  await pull({ username: 'user', password });
  await pull({ username: 'user', password });
  t.is(tokenRequests().length, 1);
  const query = new URL(tokenRequests()[0]?.path ?? '', 'http://x').searchParams;
  t.deepEqual(
    [query.get('service'), query.get('scope'), query.get('account')],
    ['test', 'repository:team/app:pull', 'user'],
  );
});

test.serial('an anonymous token serves who has no credentials', async (t) => {
  registry.bend = guarded(({ authorization }) => authorization === '');
  await t.notThrowsAsync(pull());
});

test.serial('an identity token is exchanged by OAuth2', async (t) => {
  registry.bend = guarded(
    ({ method, body }) => method === 'POST' && new URLSearchParams(body).get('refresh_token') === 'refresh',
  );
  await pull({ identityToken: 'refresh' });
  t.is(new URLSearchParams(tokenRequests()[0]?.body).get('scope'), 'repository:team/app:pull');
});

test.serial('a registry token is sent as it is', async (t) => {
  registry.bend = guarded(() => false);
  await pull({ registryToken: 'T0ken' });
  t.is(tokenRequests().length, 0);
});

test.serial('basic authentication is answered with user name and password', async (t) => {
  registry.bend = ({ authorization }) =>
    authorization === basic ? undefined : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
  await pull({ auth: Buffer.from(`user:${password}`).toString('base64') });
  t.true(isKind(await t.throwsAsync(pull()), 'denied'));
});

test.serial('denied access names registry and repository, and no secret is told or logged', async (t) => {
  registry.bend = guarded(() => false);
  const error = await t.throwsAsync(pull({ username: 'user', password }), {
    message: /127\.0\.0\.1:[0-9]+\/team\/app/,
  });
  t.true(isKind(error, 'denied'));
  registry.bend = () => ({ status: 403 });
  t.true(isKind(await t.throwsAsync(pull({ username: 'user', password })), 'denied'));
  const told = [String(error), (error as Error).stack ?? '', ...opened.logged].join('\n');
  for (const secret of [password, basic.slice(6)]) t.false(told.includes(secret));
});

test.serial('an image that is not there is not found', async (t) => {
  const error = await t.throwsAsync(pull(undefined, `${registry.host}/team/none:v1`), {
    message: /team\/none.*unknown to the test/,
  });
  t.true(isKind(error, 'not-found'));
});

test.serial('a registry that fails twice is asked again', async (t) => {
  let failures = 0;
  registry.bend = () => (failures++ < 2 ? { status: 503 } : undefined);
  await t.notThrowsAsync(pull());
});

test.serial('a registry that is down is registry-unavailable', async (t) => {
  registry.close();
  const error = await t.throwsAsync(pull(), { message: /ECONNREFUSED/ });
  t.true(isKind(error, 'registry-unavailable'));
});

test.serial(
  'mirrors are asked first and the registry itself after them; a changed registries.conf holds from the next pull',
  async (t) => {
    const mirror = await startTestRegistry();
    opened.writeConf(
      `[[registry]]\nprefix = "hub.example"\nlocation = "${registry.host}"\n` +
        `[[registry.mirror]]\nlocation = "${mirror.host}/cache"\n`,
    );
    const image = await pull(undefined, 'hub.example/team/app:v1');
    t.deepEqual(image.tags, ['hub.example/team/app:v1']);
    t.is(mirror.seen[0]?.path, '/v2/cache/team/app/manifests/v1');
    opened.writeConf('[[registry]]\nlocation = "hub.example"\nblocked = true\n');
    t.true(isKind(await t.throwsAsync(pull(undefined, 'hub.example/team/app:v1')), 'denied'));
    mirror.close();
  },
);

test.serial('blobs that a registry redirects elsewhere are fetched there without its credentials', async (t) => {
  const store = await startTestRegistry();
  store.serve('team/app', 'v1', built);
  registry.bend = (request) => {
    if (request.authorization !== basic) return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    return request.path.includes('/blobs/')
      ? { status: 307, headers: { location: `http://${store.host}${request.path}?sig=1` } }
      : undefined;
  };
  store.bend = ({ path }) => {
    const usual = built.blobs.find(({ digest }) => path.includes(digest));
    return usual && { status: 200, headers: { 'content-length': `${usual.bytes.length}` }, body: usual.bytes };
  };
  await pull({ username: 'user', password });
  t.true(store.seen.length > 0);
  t.deepEqual(
    store.seen.filter(({ authorization }) => authorization !== ''),
    [],
  );
  store.close();
});

test.serial('a registry over HTTPS with an unknown certificate is refused unless it is insecure', async (t) => {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(opened.root, name)) as [string, string];
  const subject = ['-subj', '/CN=registry', '-addext', 'subjectAltName=DNS:registry.test'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
  const secure = await startTestRegistry({ key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') });
  secure.serve('team/app', 'v1', built);
  // 127.0.0.1, written so that it is not taken for insecure by itself.
  const location = `[::ffff:7f00:1]:${secure.host.split(':')[1]}`;
  opened.writeConf(`[[registry]]\nprefix = "tls.example"\nlocation = "${location}"\n`);
  const error = await t.throwsAsync(pull(undefined, 'tls.example/team/app:v1'), { message: /self.signed/ });
  t.true(isKind(error, 'registry-unavailable'));
  opened.writeConf(`[[registry]]\nprefix = "tls.example"\nlocation = "${location}"\ninsecure = true\n`);
  await t.notThrowsAsync(pull(undefined, 'tls.example/team/app:v1'));
  secure.close();
});
