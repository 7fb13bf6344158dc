import { readFileSync } from 'node:fs';
import test from 'ava';
import { credentials, type Registry } from './harness/registry.ts';
import { story } from './harness/story.ts';

const stage = story({ images: [], guarded: true });
const { username, password } = credentials;

for (const kind of ['basic', 'bearer'] as const) {
  const registry = (): Registry => {
    const found = stage().guarded.get(kind);
    if (found === undefined) throw new Error('the story did not start the guarded registries');
    return found;
  };
  const pull = async (auth?: object): Promise<string> => {
    const image = { image: `${registry().host}/berth/plain:1` };
    const { image_ref } = await stage().daemon.cri.call('PullImage', { image, auth });
    await stage().daemon.cri.call('RemoveImage', { image });
    return image_ref;
  };

  test(`a registry with ${kind} authentication refuses a pull without credentials or with wrong ones`, async (t) => {
    await t.throwsAsync(pull());
    await t.throwsAsync(pull({ username, password: 'wrong' }));
  });

  test(`a registry with ${kind} authentication serves a password in every form the kubelet sends`, async (t) => {
    const { host } = registry();
    const encoded = Buffer.from(`${username}:${password}`).toString('base64');
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
}

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

test('no secret stands in the log', (t) => {
  const log = readFileSync(stage().daemon.logPath, 'utf8');
  t.false(log.includes(password));
  t.false(log.includes(Buffer.from(`${username}:${password}`).toString('base64')));
  t.false(/Bearer ey/.test(log));
});
