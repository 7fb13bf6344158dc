import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { parseReference } from '../manifest/reference.ts';
import { identityMatches, parsePayload } from './payload.ts';
import { parsePolicy, requirementsFor, type SignedIdentity } from './policy.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const reject = [{ type: 'reject' }];
const accept = [{ type: 'insecureAcceptAnything' }];

test('the closest scope counts: reference, repository, what holds it, wildcard of the host, default', (t) => {
  const docker = {
    'quay.io/a/b:1': [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/exact' }],
    'quay.io/a/b': [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/repository' }],
    'quay.io/a': [{ type: 'sigstoreSigned', keyData: 'YQ==' }],
    'quay.io': reject,
    '*.example.com': [{ type: 'sigstoreSigned', keyPaths: ['/wild'] }],
    '': reject,
  };
  const policy = parsePolicy(JSON.stringify({ default: accept, transports: { docker, 'docker-daemon': { '': accept } } }), 'policy.json');
  const key = (name: string): unknown => {
    const [first] = requirementsFor(policy, parseReference(name));
    return first === undefined ? first : 'keyPaths' in first ? (first.keyPaths[0] ?? first.keyDatas[0]?.toString()) : first.type;
  };
  t.deepEqual(
    ['quay.io/a/b:1', 'quay.io/a/b:2', `quay.io/a/b@${digest}`, 'quay.io/a/c', 'quay.io/x', 'r.example.com:5000/x', 'example.com/x', 'busybox'].map(key),
    ['/exact', '/repository', '/repository', 'a', 'reject', '/wild', 'reject', 'reject'],
  );
});

const malformed: [title: string, policy: unknown][] = [
  ['without default', {}],
  ['with an empty default', { default: [] }],
  ['with an unknown requirement', { default: [{ type: 'trustMe' }] }],
  ['with an unknown key in a requirement', { default: [{ type: 'reject', not: true }] }],
  ['with an unknown key at the top', { default: accept, defaults: reject }],
  ['that signs without keys', { default: [{ type: 'sigstoreSigned' }] }],
  ['with keys of another type', { default: [{ type: 'signedBy', keyType: 'X509', keyPath: '/k' }] }],
  ['with keyless signatures, which are not known here', { default: [{ type: 'sigstoreSigned', fulcio: {} }] }],
  ['with an empty scope list', { default: accept, transports: { docker: { 'quay.io': [] } } }],
  ['with an unknown identity', { default: [{ type: 'sigstoreSigned', keyPath: '/k', signedIdentity: { type: 'any' } }] }],
  ['that is a list', []],
];
for (const [title, policy] of malformed) {
  test(`a policy ${title} is refused, naming the file`, (t) => {
    const error = t.throws(() => parsePolicy(JSON.stringify(policy), '/etc/policy.json'));
    t.true(isKind(error, 'signature') && /\/etc\/policy\.json/.test(error.message), String(error));
  });
}

const identities: [identity: SignedIdentity, signed: string, reference: string, matches: boolean][] = [
  [{ type: 'matchRepoDigestOrExact' }, 'quay.io/a/b:1', 'quay.io/a/b:1', true],
  [{ type: 'matchRepoDigestOrExact' }, 'quay.io/a/b:1', 'quay.io/a/b:2', false],
  [{ type: 'matchRepoDigestOrExact' }, 'quay.io/a/b:1', `quay.io/a/b@${digest}`, true],
  [{ type: 'matchRepoDigestOrExact' }, 'quay.io/a/c:1', `quay.io/a/b@${digest}`, false],
  [{ type: 'matchRepoDigestOrExact' }, 'quay.io/a/b', 'quay.io/a/b:latest', false],
  [{ type: 'matchRepoDigestOrExact' }, 'busybox:1', 'docker.io/library/busybox:1', true],
  [{ type: 'matchExact' }, 'quay.io/a/b:1', `quay.io/a/b@${digest}`, false],
  [{ type: 'matchRepository' }, 'quay.io/a/b', 'quay.io/a/b:2', true],
  [{ type: 'matchRepository' }, 'quay.io/a/b', 'quay.io/a/bc:2', false],
  [{ type: 'matchRepository' }, 'not a name', 'quay.io/a/b:2', false],
  [{ type: 'exactReference', dockerReference: 'vendor.io/x:1' }, 'vendor.io/x:1', 'mirror.io/x:1', true],
  [{ type: 'exactReference', dockerReference: 'vendor.io/x:1' }, 'vendor.io/x:2', 'vendor.io/x:2', false],
  [{ type: 'exactRepository', dockerRepository: 'vendor.io/x' }, 'vendor.io/x:9', 'mirror.io/x:1', true],
  [{ type: 'remapIdentity', prefix: 'mirror.io/v', signedPrefix: 'vendor.io' }, 'vendor.io/x:1', 'mirror.io/v/x:1', true],
  [{ type: 'remapIdentity', prefix: 'mirror.io/v', signedPrefix: 'vendor.io' }, 'vendor.io/x:1', 'mirror.io/vx:1', false],
];
for (const [identity, signed, reference, matches] of identities) {
  test(`${identity.type}: signed as ${signed.slice(0, 30)} it ${matches ? 'may' : 'may not'} be used as ${reference.slice(0, 30)}`, (t) => {
    t.is(identityMatches(identity, signed, parseReference(reference)), matches);
  });
}

test('a payload gives its digest and name, a malformed one is corrupt', (t) => {
  const payload = (critical: object): string => JSON.stringify({ critical, optional: {} });
  const image = { 'docker-manifest-digest': digest };
  const identity = { 'docker-reference': 'a/b:1' };
  t.like(parsePayload(payload({ type: 'atomic container signature', image, identity })), { digest, reference: 'a/b:1' });
  for (const bad of ['x', '{}', payload({ type: 'other', image, identity }), payload({ type: 'atomic container signature', image: { 'docker-manifest-digest': 'sha256:1' }, identity })]) {
    t.true(isKind(t.throws(() => parsePayload(bad)), 'corrupt'));
  }
});
