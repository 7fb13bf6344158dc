import test from 'ava';
import { parseReference } from '../manifest/reference.ts';
import { withoutArmour } from './gpg.ts';
import { lookasideOf } from './lookaside.ts';

const files = [
  { 'default-docker': { lookaside: 'https://default.example' }, docker: { 'quay.io': { lookaside: 'https://quay.example' } } },
  undefined,
  { docker: { 'quay.io/a/b': { sigstore: 'file:///srv/old-key' }, 'quay.io/a/b:9': { lookaside: 'https://nine.example' }, 'quay.io/a': { 'lookaside-staging': 'file:///x' } } },
];

test('the lookaside of the closest scope counts, in whichever file it is', (t) => {
  const of = (name: string): string => lookasideOf(parseReference(name), files);
  t.is(of('quay.io/a/b:1'), 'file:///srv/old-key');
  t.is(of('quay.io/a/b:9'), 'https://nine.example');
  t.is(of('quay.io/a/bc:1'), 'https://quay.example');
  t.is(of('quay.io/a/c'), 'https://quay.example');
  t.is(of('busybox'), 'https://default.example');
  t.is(lookasideOf(parseReference('busybox'), []), 'file:///var/lib/containers/sigstore');
});

test('a file of another shape is an error, not another place', (t) => {
  for (const file of [[], 'text', { docker: [] }, { docker: { 'quay.io': 'x' } }, { 'default-docker': { lookaside: 1 } }]) {
    t.throws(() => lookasideOf(parseReference('quay.io/a'), [file]));
  }
});

test('keys lose their armour, also several in one file; packets stay as they are', (t) => {
  const armoured = (text: string): string =>
    `-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: for a test\n\n${Buffer.from(text).toString('base64')}\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n`;
  t.is(withoutArmour(Buffer.from(`${armoured('one')}text between\n${armoured(', two')}`)).toString(), 'one, two');
  t.is(withoutArmour(Buffer.from(armoured('one').replaceAll('\n', '\r\n'))).toString(), 'one');
  t.is(withoutArmour(Buffer.from('packets')).toString(), 'packets');
});
