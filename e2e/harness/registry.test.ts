import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { imageStore } from '../images/store.ts';
import { credentials, startRegistry, type Auth, type Registry } from './registry.ts';

const manifest = '/v2/library/busybox/manifests/latest';
const accept = { accept: 'application/vnd.docker.distribution.manifest.list.v2+json' };
const basic = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;

async function serving(t: ExecutionContext, auth: Auth): Promise<Registry> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-'));
  const { storage } = await imageStore();
  const registry = await startRegistry({ directory, storage, auth });
  t.teardown(async () => {
    await registry.stop();
    rmSync(directory, { recursive: true });
  });
  return registry;
}

test('an open registry serves the list with the digest the builder noted', async (t) => {
  const registry = await serving(t, 'none');
  const reply = await fetch(registry.url + manifest, { headers: accept });
  t.is(
    reply.headers.get('docker-content-digest'),
    (await imageStore()).digests['library/busybox:latest']?.top ?? 'absent',
  );
});

test('a registry with basic authentication serves only who knows the password', async (t) => {
  const registry = await serving(t, 'basic');
  t.is((await fetch(registry.url + manifest, { headers: accept })).status, 401);
  t.is((await fetch(registry.url + manifest, { headers: { ...accept, authorization: basic } })).status, 200);
});

test('a registry with token authentication names its token server and takes that token', async (t) => {
  const registry = await serving(t, 'bearer');
  const challenge: string =
    (await fetch(registry.url + manifest, { headers: accept })).headers.get('www-authenticate') ?? '';
  const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const query = new URLSearchParams({ service: field('service'), scope: field('scope') });
  t.is((await fetch(`${field('realm')}?${query}`)).status, 401);
  const { token } = (await (
    await fetch(`${field('realm')}?${query}`, { headers: { authorization: basic } })
  ).json()) as { token: string };
  t.is(
    (await fetch(registry.url + manifest, { headers: { ...accept, authorization: `Bearer ${token}` } })).status,
    200,
  );
});
