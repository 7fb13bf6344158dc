import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { credentials, type Registry } from './harness/registry.ts';
import { story } from './harness/story.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-auth-'));
const node = join(folder, 'auth.json');
const namespaces = join(folder, 'namespaces');
const programs = join(folder, 'programs');
process.env['PATH'] = `${programs}:${process.env['PATH']}`;
const stage = story({
  images: [],
  guarded: true,
  daemon: { args: ['--auth-files', `${join(folder, 'absent.json')},${node}`, '--namespace-auth-dir', namespaces] },
});
test.before(() => {
  mkdirSync(namespaces);
  mkdirSync(programs);
});
test.afterEach(() => rmSync(node, { force: true }));
test.after.always(() => rmSync(folder, { recursive: true }));
const { username, password } = credentials;
const encoded = Buffer.from(`${username}:${password}`).toString('base64');

for (const kind of ['basic', 'bearer'] as const) {
  const registry = (): Registry => {
    const found = stage().guarded.get(kind);
    if (found === undefined) throw new Error('the story did not start the guarded registries');
    return found;
  };
  const pull = async (auth?: object, namespace = ''): Promise<string> => {
    const image = { image: `${registry().host}/berth/plain:1` };
    const sandbox_config = { metadata: { namespace } };
    const { image_ref } = await stage().daemon.cri.call('PullImage', { image, auth, sandbox_config });
    await stage().daemon.cri.call('RemoveImage', { image });
    return image_ref;
  };

  test(`a registry with ${kind} authentication refuses a pull without credentials or with wrong ones`, async (t) => {
    await t.throwsAsync(pull());
    await t.throwsAsync(pull({ username, password: 'wrong' }));
  });

  test(`a registry with ${kind} authentication serves a password in every form the kubelet sends`, async (t) => {
    const { host } = registry();
    const refs = [
      await pull({ username, password }),
      await pull({ auth: encoded }),
      await pull({ username, password, server_address: host }),
      await pull({ auth: encoded, server_address: `http://${host}` }),
    ];
    t.is(new Set(refs).size, 1);
  });

  test(`credentials for another server are not sent to a registry with ${kind} authentication`, async (t) => {
    await t.throwsAsync(pull({ username, password, server_address: 'elsewhere.example' }));
  });

  test(`the node's file has credentials for a registry with ${kind} authentication, which a pull's own replace`, async (t) => {
    const { host } = registry();
    writeFileSync(node, JSON.stringify({ auths: { [`${host}/other`]: { auth: encoded } } }));
    await t.throwsAsync(pull());
    writeFileSync(node, JSON.stringify({ auths: { [host]: { auth: encoded } } }));
    await t.notThrowsAsync(pull());
    await t.throwsAsync(pull({ username, password: 'wrong' }));
  });

  test(`a namespace's file has credentials for its pods alone at a registry with ${kind} authentication`, async (t) => {
    const { host } = registry();
    const wrong = { auth: Buffer.from('berth:wrong').toString('base64') };
    writeFileSync(node, JSON.stringify({ auths: { [host]: wrong } }));
    const hash = createHash('sha256').update(`${host}/berth/plain:1`).digest('hex');
    for (const name of [`by-image-${hash}`, 'all-images']) {
      writeFileSync(join(namespaces, `${name}.json`), JSON.stringify({ auths: { [`${host}/berth/plain`]: { auth: encoded } } }));
    }
    await t.notThrowsAsync(pull(undefined, 'by-image'));
    await t.notThrowsAsync(pull(undefined, 'all-images'));
    await t.throwsAsync(pull(undefined, 'another'));
    await t.throwsAsync(pull(undefined, '../namespaces/all-images'));
  });

  test(`a credential helper is asked for a registry with ${kind} authentication`, async (t) => {
    const { host } = registry();
    const program = join(programs, 'docker-credential-story');
    const reply = JSON.stringify({ ServerURL: host, Username: username, Secret: password });
    writeFileSync(program, `#!/bin/sh\nread asked\n[ "$1 $asked" = "get ${host}" ] && echo '${reply}'\n`);
    chmodSync(program, 0o755);
    writeFileSync(node, JSON.stringify({ credHelpers: { [host]: 'story' } }));
    await t.notThrowsAsync(pull());
    writeFileSync(node, JSON.stringify({ credsStore: 'absent' }));
    await t.throwsAsync(pull());
    t.regex(readFileSync(stage().daemon.logPath, 'utf8'), /docker-credential-absent is not on the PATH/);
  });
}

test('the credential helpers of registries.conf are asked in their order, from the next pull on', async (t) => {
  const { daemon, guarded } = stage();
  const host = guarded.get('basic')?.host ?? '';
  const image = { image: `${host}/berth/plain:1` };
  const conf = join(daemon.directory, 'registries.conf.d');
  mkdirSync(conf);
  const asked = join(folder, 'asked');
  for (const [name, reply] of [['nothing', 'credentials not found in native keychain'], ['all', JSON.stringify({ Username: username, Secret: password })]]) {
    const program = join(programs, `docker-credential-${name}`);
    writeFileSync(program, `#!/bin/sh\necho ${name} >>${asked}\necho '${reply}'\n[ ${name} = all ]\n`);
    chmodSync(program, 0o755);
  }
  writeFileSync(node, JSON.stringify({ auths: { [host]: { auth: Buffer.from('berth:wrong').toString('base64') } } }));
  const helpers = (...names: string[]) => writeFileSync(join(conf, '10.conf'), `credential-helpers = ${JSON.stringify(names)}\n`);
  helpers('nothing', 'containers-auth.json', 'all');
  await t.throwsAsync(daemon.cri.call('PullImage', { image }), { message: /401/ });
  helpers('nothing', 'all', 'containers-auth.json');
  await t.notThrowsAsync(daemon.cri.call('PullImage', { image }));
  t.deepEqual(readFileSync(asked, 'utf8').split('\n'), ['nothing', 'nothing', 'all', '']);
  rmSync(conf, { recursive: true });
  await daemon.cri.call('RemoveImage', { image });
});

test('a malformed file of credentials is named, and nothing of it is shown', async (t) => {
  writeFileSync(node, `{"auths": ${password}`);
  const host = stage().guarded.get('basic')?.host ?? '';
  const error = await t.throwsAsync(stage().daemon.cri.call('PullImage', { image: { image: `${host}/berth/plain:1` } }));
  t.regex(error.message, /auth\.json is no JSON/);
});

test('a registry token is sent as it is', async (t) => {
  const { daemon, guarded } = stage();
  const host = guarded.get('bearer')?.host ?? '';
  const challenge = (await fetch(`http://${host}/v2/`)).headers.get('www-authenticate') ?? '';
  const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const query = new URLSearchParams({ service: field('service'), scope: 'repository:berth/plain:pull' });
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const { token } = (await (await fetch(`${field('realm')}?${query}`, { headers: { authorization } })).json()) as {
    token: string;
  };
  const image = { image: `${host}/berth/plain:1` };
  await t.notThrowsAsync(daemon.cri.call('PullImage', { image, auth: { registry_token: token } }));
  await daemon.cri.call('RemoveImage', { image });
});

test('an identity token is exchanged for a token of the registry', async (t) => {
  const { daemon, guarded } = stage();
  const image = { image: `${guarded.get('bearer')?.host}/berth/plain:1` };
  await t.notThrowsAsync(daemon.cri.call('PullImage', { image, auth: { identity_token: credentials.identityToken } }));
  await daemon.cri.call('RemoveImage', { image });
});

test('no secret of any form of credentials stands in an error or in the debug log', async (t) => {
  const { daemon, guarded } = stage();
  const wrong = Buffer.from('berth:secret-in-auth').toString('base64');
  const forms = [
    { username, password: 'secret-password' },
    { auth: wrong },
    { identity_token: 'secret-identity' },
    { registry_token: 'secret-registry' },
    { auth: 'secret-without-colon' },
  ];
  const told: string[] = [];
  for (const { host } of guarded.values()) {
    for (const auth of forms) {
      const error = await t.throwsAsync(daemon.cri.call('PullImage', { image: { image: `${host}/berth/plain:1` }, auth }));
      told.push(String(error), JSON.stringify(error));
    }
  }
  const log = readFileSync(daemon.logPath, 'utf8');
  t.regex(log, /PullImage failed/);
  const basic = Buffer.from(`${username}:secret-password`).toString('base64');
  for (const secret of [password, encoded, credentials.identityToken, wrong, basic, 'secret-', 'Bearer ey', 'eyJ']) {
    t.false(log.includes(secret), `the log has ${secret}`);
    t.false(told.join('\n').includes(secret), `an error has ${secret}`);
  }
});
