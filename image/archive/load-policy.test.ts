import { generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import { dockerOf, type Files, layoutOf, tarOf } from '../fixtures/archive.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages, type Opened } from '../fixtures/opened.ts';
import { cosignSignature, sigstore } from '../fixtures/signature.ts';
import type { Image } from '../records/record.ts';

const accept = [{ type: 'insecureAcceptAnything' }];
const reject = [{ type: 'reject' }];
const image = buildImage({ layers: [{ f: 'loaded' }], indexed: true });
const name = 'quay.io/team/app:1';
const archives = { oci: layoutOf(image, { 'org.opencontainers.image.ref.name': name }), docker: dockerOf(image, [name]) };
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });

type Stage = Opened & { load(files: Files): Promise<Image[]>; write(policy: object): void; use(as?: string): Promise<void> };
async function stage(t: ExecutionContext): Promise<Stage> {
  const opened = await openTestImages();
  t.teardown(() => opened.close());
  return Object.assign(opened, {
    load: (files: Files) => opened.images.load({ archive: tarOf(files), name: '', signal: new AbortController().signal }),
    write: (policy: object) => writeFileSync(join(opened.root, 'policy.json'), JSON.stringify(policy)),
    use: (as: string = name) => opened.images.allow(opened.images.find(image.id)!, { name: as, namespace: '' }),
  });
}

async function refused(t: ExecutionContext, work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(work, { message });
  t.true(isKind(error, 'signature'), String(error));
}

const cases: [title: string, policy: object, lets: { oci: boolean; docker: boolean }][] = [
  ['that accepts all', { default: accept }, { oci: true, docker: true }],
  ['that rejects all', { default: reject }, { oci: false, docker: false }],
  ['that accepts Docker archives', { default: reject, transports: { 'docker-archive': { '': accept } } }, { oci: false, docker: true }],
  ['that accepts OCI archives', { default: reject, transports: { 'oci-archive': { '': accept } } }, { oci: true, docker: false }],
  ['that rejects OCI archives', { default: accept, transports: { 'oci-archive': { '': reject } } }, { oci: false, docker: true }],
  ['that accepts the registry of its name alone', { default: reject, transports: { docker: { 'quay.io': accept } } }, { oci: false, docker: false }],
  ['that rejects archives of one path', { default: accept, transports: { 'oci-archive': { '/bad': reject } } }, { oci: false, docker: true }],
  ['that accepts archives of one path', { default: reject, transports: { 'oci-archive': { '/good': accept } } }, { oci: false, docker: false }],
  ['that wants a signature', { default: accept, transports: { 'docker-archive': { '': [sigstore(key.publicKey)] } } }, { oci: true, docker: false }],
];
for (const [title, policy, lets] of cases) {
  test(`a policy ${title} ${lets.oci ? 'lets' : 'does not let'} an OCI layout in, and ${lets.docker ? 'lets' : 'does not let'} a Docker archive in`, async (t) => {
    const s = await stage(t);
    s.write(policy);
    for (const form of ['oci', 'docker'] as const) {
      if (lets[form]) t.is((await s.load(archives[form]))[0]?.id, image.id);
      else await refused(t, s.load(archives[form]), /^cannot load the archive: image quay\.io\/team\/app:1: the policy (rejects it|wants a sigstore signature, and there is none)/);
      await s.images.remove(image.id);
      t.deepEqual([s.images.list(), s.kept().filter((path) => path.startsWith('layers/'))], [[], []]);
    }
  });
}

test('a loaded image is used by what the policy says of its name, and one that wants signatures finds none', async (t) => {
  const s = await stage(t);
  const archived = { 'oci-archive': { '': accept }, 'docker-archive': { '': accept } };
  s.write({ default: reject, transports: archived });
  await s.load(archives.docker);
  await refused(t, s.use(), /rejects it/);
  s.write({ default: reject, transports: { ...archived, docker: { 'quay.io/team': accept } } });
  await s.use();
  s.write({ default: reject, transports: { ...archived, docker: { 'quay.io/team': [sigstore(key.publicKey)] } } });
  await refused(t, s.use(), /there is none/);
});

test('asked for by its id an image is used if it may be under one of its names, asked for by name under that one alone', async (t) => {
  const s = await stage(t);
  const other = 'registry.example/app:1';
  await s.load(dockerOf(image, [name, other]));
  const rejecting = (...repositories: string[]): void =>
    s.write({ default: accept, transports: { docker: Object.fromEntries(repositories.map((repository) => [repository, reject])) } });
  rejecting('quay.io/team');
  await refused(t, s.use(name), /image quay\.io\/team\/app:1: the policy rejects it/);
  await s.use(other);
  await s.use(image.id);
  rejecting('quay.io/team', 'registry.example');
  await refused(t, s.use(image.id), /rejects it/);
});

const signed = cosignSignature({ reference: 'quay.io/team/app', digest: image.top.digest, key: key.privateKey });
/** The layout with the signature beside the image, as the entry says what it is. */
function withSignature(annotations: object, signature = signed): Files {
  const [own, other] = [archives.oci, layoutOf(signature, annotations)];
  const manifests = [own, other].flatMap((files) => (JSON.parse(String(files['index.json'])) as { manifests: object[] }).manifests);
  return { ...own, ...other, 'index.json': JSON.stringify({ schemaVersion: 2, manifests }) };
}
const wanting = { default: reject, transports: { docker: { 'quay.io/team': [sigstore(key.publicKey)] }, 'oci-archive': { '': [sigstore(key.publicKey)] } } };

const forms: [by: string, annotations: object][] = [
  ['cosign save', { kind: 'dev.cosignproject.cosign/sigs', 'org.opencontainers.image.ref.name': name }],
  ['the tag that cosign gives it', { 'org.opencontainers.image.ref.name': `${image.top.digest.replace(':', '-')}.sig` }],
  ['the whole name with that tag', { 'org.opencontainers.image.ref.name': `quay.io/team/app:${image.top.digest.replace(':', '-')}.sig` }],
];
for (const [by, annotations] of forms) {
  test(`a cosign signature that is in the layout by ${by} is no image, counts at the load and whenever the image is used`, async (t) => {
    const s = await stage(t);
    s.write(wanting);
    t.deepEqual((await s.load(withSignature(annotations))).map(({ id }) => id), [image.id]);
    await s.use();
    await s.reopen();
    await s.use();
    await s.use(image.id);
    rmSync(join(s.root, 'signatures'), { recursive: true });
    await s.reopen();
    await refused(t, s.use(), /there is none/);
  });
}

test('a signature in the layout that is by another key, or of another image, does not count', async (t) => {
  const s = await stage(t);
  s.write(wanting);
  const [, sigs] = forms[0]!;
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const by = (of: { digest?: string; reference?: string; signer?: typeof stranger }): Files =>
    withSignature(sigs, cosignSignature({ reference: of.reference ?? 'quay.io/team/app', digest: of.digest ?? image.top.digest, key: of.signer ?? key.privateKey }));
  await refused(t, s.load(by({ signer: stranger })), /one is by none of the keys/);
  await refused(t, s.load(by({ digest: `sha256:${'1'.repeat(64)}` })), /there is none/);
  await refused(t, s.load(by({ reference: 'quay.io/others/app' })), /one is for the name "quay\.io\/others\/app"/);
  t.deepEqual(s.images.list(), []);
});

test('an image without a name is let in by a signature whose identity the policy names', async (t) => {
  const s = await stage(t);
  const nameless = withSignature({ kind: 'dev.cosignproject.cosign/sigs' });
  const index = JSON.parse(String(nameless['index.json'])) as { manifests: { annotations: object }[] };
  index.manifests[0]!.annotations = {};
  const files = { ...nameless, 'index.json': JSON.stringify(index) };
  const wants = (signedIdentity: object): object => ({ default: accept, transports: { 'oci-archive': { '': [sigstore(key.publicKey, { signedIdentity })] } } });
  s.write(wants({ type: 'matchRepository' }));
  await refused(t, s.load(files), new RegExp(`image ${image.top.digest}: .*one is for the name`));
  s.write(wants({ type: 'exactRepository', dockerRepository: 'quay.io/team/app' }));
  t.deepEqual((await s.load(files)).map(({ id, tags }) => [id, tags]), [[image.id, []]]);
});
