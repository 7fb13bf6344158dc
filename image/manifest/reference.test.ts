import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { formatReference, isDigest, isShortName, nameOf, parseReference } from './reference.ts';

const hex = 'a'.repeat(64);
const digest = `sha256:${hex}`;

const normalised: [given: string, full: string, name?: string][] = [
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['user/app', 'docker.io/user/app:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['index.docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['registry.k8s.io/pause:3.9', 'registry.k8s.io/pause:3.9'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c:latest'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  ['UPPER/app', 'UPPER/app:latest'],
  ['host:5000/app', 'host:5000/app:latest'],
  ['a__b/c--d', 'docker.io/a__b/c--d:latest'],
  [`quay.io/x/y@${digest}`, `quay.io/x/y@${digest}`],
  [`quay.io/x/y:v1@${digest}`, `quay.io/x/y:v1@${digest}`, `quay.io/x/y@${digest}`],
];
for (const [given, full, name] of normalised) {
  test(`${given.slice(0, 40)} means ${full.slice(0, 60)}`, (t) => {
    const reference = parseReference(given);
    t.is(formatReference(reference), full);
    t.is(nameOf(reference), name ?? full);
    t.deepEqual(parseReference(full), reference);
  });
}

const refused = [
  '',
  ':',
  '@',
  '/',
  'Busybox',
  'docker.io/Busybox',
  'a/b/',
  '/a',
  'a//b',
  'a:',
  'a:-x',
  `a:${'t'.repeat(129)}`,
  'a@sha256:abc',
  `a@sha256:${'A'.repeat(64)}`,
  `a@md5:${'a'.repeat(32)}`,
  `a@${digest}:tag`,
  hex,
  'a b',
  'a\n',
  'https://host/a',
  '-a',
  'a..b',
  'a___b',
  '-host.io/a',
  'host.io:port/a',
  `${'x/'.repeat(130)}y`,
  '../a',
  'host.io/../a',
  `a@${digest}@${digest}`,
];
for (const given of refused) {
  test(`${JSON.stringify(given.replace(/^(.{20}).*(.{20})$/, '$1…$2'))} is refused as invalid`, (t) => {
    const error = t.throws(() => parseReference(given));
    t.true(isKind(error, 'invalid'));
  });
}

test('only a name without registry is short', (t) => {
  t.true(isShortName('busybox:1'));
  t.true(isShortName('user/app'));
  t.false(isShortName('localhost/app'));
  t.false(isShortName('host:5000/app'));
});

test('a digest is known algorithm and its full length in lower case', (t) => {
  t.true(isDigest(digest));
  t.true(isDigest(`sha512:${hex}${hex}`));
  t.false(isDigest(`sha256:${hex}a`));
  t.false(isDigest(`sha256:${hex}:`));
  t.false(isDigest(`constructor:${hex}`));
});
