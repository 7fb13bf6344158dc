import test from 'ava';
import { fingerprint } from './fingerprint.ts';

test('the order of a map does not matter, that of a list does', (t) => {
  t.is(fingerprint({ labels: { a: '1', b: '2' } }), fingerprint({ labels: { b: '2', a: '1' } }));
  t.not(fingerprint({ command: ['a', 'b'] }), fingerprint({ command: ['b', 'a'] }));
});

test('another value, also inside bytes, is another request', (t) => {
  t.not(fingerprint({ labels: { a: '1' } }), fingerprint({ labels: { a: '2' } }));
  t.not(fingerprint({ value: Buffer.from('x') }), fingerprint({ value: Buffer.from('y') }));
  t.is(fingerprint({ value: Buffer.from('x') }), fingerprint({ value: Buffer.from('x') }));
});
