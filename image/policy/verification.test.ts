import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import { type BuiltImage, buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { startTestRegistry, type TestRegistry } from '../fixtures/registry.ts';
import { cosignSignature, payloadOf, sigstore } from '../fixtures/signature.ts';

type Stage = Opened & { registry: TestRegistry; image: BuiltImage; name: string };

async function stage(t: ExecutionContext, options?: { verifierTimeoutMs: number }): Promise<Stage> {
  const [opened, registry] = await Promise.all([openTestImages(options), startTestRegistry()]);
  t.teardown(async () => {
    registry.close();
    await opened.close();
  });
  const image = buildImage({ layers: [{ f: 'signed' }], indexed: true });
  registry.serve('a/b', '1', image);
  return Object.assign(opened, { registry, image, name: `${registry.host}/a/b:1` });
}

const pulling = ({ images, name }: Stage, namespace = '') => images.pull({ reference: name, namespace, signal: new AbortController().signal });

function writePolicy({ root }: Stage, requirements: object[], file = 'policy.json'): void {
  mkdirSync(join(root, 'policies'), { recursive: true });
  writeFileSync(join(root, file), JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: { '': requirements } } }));
}

async function refused(t: ExecutionContext, work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(work, { message });
  t.true(isKind(error, 'signature'), String(error));
}

/** Attaches a signature as `cosign sign --key` does. */
function attach({ registry }: Stage, signed: { reference: string; digest: string; key: KeyObject }): void {
  registry.serve('a/b', `${signed.digest.replace(':', '-')}.sig`, cosignSignature(signed));
}

const ecdsa = generateKeyPairSync('ec', { namedCurve: 'P-256' });

test('without a policy every image is pulled, with one that rejects none is and nothing of it is fetched', async (t) => {
  const s = await stage(t);
  writePolicy(s, [{ type: 'reject' }]);
  await refused(t, pulling(s), /the policy rejects it/);
  t.deepEqual(s.registry.seen.filter(({ path }) => path.includes('/blobs/')), []);
  rmSync(join(s.root, 'policy.json'));
  t.is((await pulling(s)).id, s.image.id);
});

test('a policy that cannot be read lets no image in, nor does an empty one', async (t) => {
  const s = await stage(t);
  for (const text of ['', '{', '{}']) {
    writeFileSync(join(s.root, 'policy.json'), text);
    await refused(t, pulling(s), /cannot read the policy .*policy\.json/);
  }
});

for (const [title, pair] of [['ECDSA', ecdsa], ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })], ['Ed25519', generateKeyPairSync('ed25519')]] as const) {
  test(`an image with a sigstore signature by the policy's ${title} key is pulled`, async (t) => {
    const s = await stage(t);
    writePolicy(s, [sigstore(pair.publicKey)]);
    await refused(t, pulling(s), /wants a sigstore signature, and there is none/);
    attach(s, { reference: s.name.replace(/:1$/, ''), digest: s.image.top.digest, key: pair.privateKey });
    t.is((await pulling(s)).id, s.image.id);
  });
}

test('a signature of the manifest counts as well as one of the list', async (t) => {
  const s = await stage(t);
  writePolicy(s, [sigstore(ecdsa.publicKey)]);
  attach(s, { reference: s.name, digest: s.image.manifests[0]?.digest ?? '', key: ecdsa.privateKey });
  t.is((await pulling(s)).id, s.image.id);
});

test('a signature by another key, of another image or for another name does not count, and it is said why', async (t) => {
  const s = await stage(t);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const digest = s.image.top.digest;
  writePolicy(s, [sigstore(ecdsa.publicKey)]);
  attach(s, { reference: s.name, digest, key: other.privateKey });
  await refused(t, pulling(s), /one is by none of the keys/);
  attach(s, { reference: 'quay.io/else/where:1', digest, key: ecdsa.privateKey });
  await refused(t, pulling(s), /one is for the name "quay\.io\/else\/where:1"/);
  // The tag is that of this image, the payload of another one.
  const served = s.registry.bend;
  attach(s, { reference: s.name, digest: `sha256:${'b'.repeat(64)}`, key: ecdsa.privateKey });
  s.registry.bend = (request) => (request.path.endsWith(`${digest.replace(':', '-')}.sig`) ? { status: 307, headers: { location: request.path.replace(digest.slice(7), 'b'.repeat(64)) } } : served(request));
  await refused(t, pulling(s), /one is of sha256:bbbb/);
});

test('a registry that fails to say whether there are signatures lets nothing in', async (t) => {
  const s = await stage(t);
  writePolicy(s, [sigstore(ecdsa.publicKey)]);
  s.registry.bend = ({ path }) => (path.endsWith('.sig') ? { status: 403 } : undefined);
  t.true(isKind(await t.throwsAsync(pulling(s)), 'denied'));
});

test('all requirements must be met', async (t) => {
  const s = await stage(t);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writePolicy(s, [sigstore(ecdsa.publicKey), sigstore(other.publicKey)]);
  attach(s, { reference: s.name, digest: s.image.top.digest, key: ecdsa.privateKey });
  await refused(t, pulling(s), /one is by none of the keys/);
});

test('the policy of a namespace holds instead of the one for all', async (t) => {
  const s = await stage(t);
  writePolicy(s, [{ type: 'insecureAcceptAnything' }]);
  writePolicy(s, [{ type: 'reject' }], 'policies/strict.json');
  await refused(t, pulling(s, 'strict'), /rejects/);
  t.is((await pulling(s, 'lax')).id, s.image.id);
  await refused(t, pulling(s, 'strict'), /rejects/);
});

test('an image that is here is checked again when it is used, by what was signed when it came', async (t) => {
  const s = await stage(t);
  const as = (name: string, namespace = '') => s.images.allow(image, { name, namespace });
  writePolicy(s, [sigstore(ecdsa.publicKey)]);
  attach(s, { reference: s.name, digest: s.image.top.digest, key: ecdsa.privateKey });
  const image = await pulling(s);
  s.registry.close();
  await as(s.name);
  await as(image.id);
  await s.reopen();
  await as(s.name);
  writePolicy(s, [sigstore(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)]);
  await refused(t, as(s.name), /one is by none of the keys/);
  await refused(t, as(image.id), /one is by none of the keys/);
  writePolicy(s, [sigstore(ecdsa.publicKey)]);
  await refused(t, as('quay.io/else/where:1'), /one is for the name/);
  writePolicy(s, [{ type: 'reject' }], 'policies/strict.json');
  await refused(t, as(s.name, 'strict'), /rejects/);
});

test('an image that came without signatures is not used once the policy wants them', async (t) => {
  const s = await stage(t);
  const image = await pulling(s);
  writePolicy(s, [sigstore(ecdsa.publicKey)]);
  await refused(t, s.images.allow(image, { name: s.name, namespace: '' }), /there is none/);
  attach(s, { reference: s.name, digest: s.image.top.digest, key: ecdsa.privateKey });
  await pulling(s);
  await t.notThrowsAsync(s.images.allow(image, { name: s.name, namespace: '' }));
});

/** A GPG key without a passphrase in a folder of its own. */
function gpgKey(t: ExecutionContext): { armoured: Buffer; signed(text: string): Buffer } {
  const home = mkdtempSync(join(tmpdir(), 'berth-gpg-'));
  const gpg = (args: string[], input = ''): Buffer => execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--no-tty', '--passphrase', '', '--pinentry-mode', 'loopback', ...args], { input, stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => {
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
    rmSync(home, { recursive: true, force: true });
  });
  gpg(['--quick-generate-key', 'tests@berth.invalid', 'ed25519', 'sign', 'never']);
  return { armoured: gpg(['--armor', '--export']), signed: (text) => gpg(['--sign'], text) };
}

test('an image with a simple signature by the policy\'s GPG key is pulled, as gpg made it', async (t) => {
  const s = await stage(t);
  const [key, other] = [gpgKey(t), gpgKey(t)];
  const lookaside = join(s.root, 'lookaside');
  const place = join(lookaside, `a/b@${s.image.top.digest.replace(':', '=')}`);
  mkdirSync(place, { recursive: true });
  mkdirSync(join(s.root, 'registries.d'));
  writeFileSync(join(s.root, 'registries.d/x.yaml'), `docker:\n  ${s.registry.host}:\n    lookaside: file://${lookaside}\n`);
  const keyPath = join(s.root, 'key.asc');
  writeFileSync(keyPath, key.armoured);
  writePolicy(s, [{ type: 'signedBy', keyType: 'GPGKeys', keyPath }]);
  const payload = (digest: string): string => payloadOf('atomic container signature', s.name, digest);
  await refused(t, pulling(s), /wants a simple signature, and there is none/);
  writeFileSync(join(place, 'signature-1'), other.signed(payload(s.image.top.digest)));
  await refused(t, pulling(s), /one is by none of the keys/);
  writeFileSync(join(place, 'signature-1'), 'no signature');
  await refused(t, pulling(s), /one is by none of the keys/);
  writeFileSync(join(place, 'signature-1'), key.signed(payload(`sha256:${'b'.repeat(64)}`)));
  await refused(t, pulling(s), /one is of sha256:bbbb/);
  writeFileSync(join(place, 'signature-2'), key.signed(payload(s.image.top.digest)));
  const image = await pulling(s);
  await s.images.allow(image, { name: s.name, namespace: '' });
  t.deepEqual(readdirSync(join(s.root, 'tmp')), []);
});

function writeVerifier({ root }: Stage, name: string, script: string): void {
  mkdirSync(join(root, 'verifiers'), { recursive: true });
  const path = join(root, 'verifiers', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

test('verifier programs get name, digest and descriptor, and the first that does not agree is told with what it says', async (t) => {
  const s = await stage(t);
  writeVerifier(s, '1-notes', `echo "$@" > ${s.root}/args; cat > ${s.root}/stdin`);
  writeVerifier(s, '2-refuses', 'echo not on a Thursday; exit 3');
  await refused(t, pulling(s), /image verifier 2-refuses does not agree to .*status 3: not on a Thursday/);
  const { digest, mediaType, bytes } = s.image.top;
  t.is(readFileSync(join(s.root, 'args'), 'utf8'), `-name ${s.name} -digest ${digest} -stdin-media-type application/vnd.oci.descriptor.v1+json\n`);
  t.deepEqual(JSON.parse(readFileSync(join(s.root, 'stdin'), 'utf8')), { mediaType, digest, size: bytes.length });
  rmSync(join(s.root, 'verifiers/2-refuses'));
  t.is((await pulling(s)).id, s.image.id);
});

test('a verifier that cannot be run or is killed refuses the image', async (t) => {
  const s = await stage(t);
  mkdirSync(join(s.root, 'verifiers'));
  writeFileSync(join(s.root, 'verifiers/no-program'), 'text');
  await refused(t, pulling(s), /image verifier no-program/);
  rmSync(join(s.root, 'verifiers/no-program'));
  writeVerifier(s, 'dies', 'kill -9 $$');
  await refused(t, pulling(s), /image verifier dies.*signal 9/);
});

test('a verifier that does not end in its time refuses the image', async (t) => {
  const s = await stage(t, { verifierTimeoutMs: 500 });
  writeVerifier(s, 'sleeps', 'exec sleep 1000');
  await refused(t, pulling(s), /image verifier sleeps/);
});
