import { status } from '@grpc/grpc-js';
import test from 'ava';
import { type ErrorKind, RuntimeError } from '../api/errors.ts';
import { statusOf } from './status.ts';

test('kinds that the kubelet acts on have the code it looks for', (t) => {
  const expected: [ErrorKind, status][] = [
    ['not-found', status.NOT_FOUND],
    ['unsupported', status.UNIMPLEMENTED],
    ['timeout', status.DEADLINE_EXCEEDED],
    ['invalid', status.INVALID_ARGUMENT],
    ['wrong-state', status.FAILED_PRECONDITION],
  ];
  for (const [kind, code] of expected) t.is(statusOf(new RuntimeError(kind, 'x')).code, code, kind);
});

test('errors start with the prefix that the kubelet tests, under code UNKNOWN', (t) => {
  t.deepEqual(statusOf(new RuntimeError('registry-unavailable', 'pull a: refused')), {
    code: status.UNKNOWN,
    details: 'RegistryUnavailable: pull a: refused',
  });
  t.deepEqual(statusOf(new RuntimeError('signature', 'pull a: not signed')), {
    code: status.UNKNOWN,
    details: 'SignatureValidationFailed: pull a: not signed',
  });
  t.is(statusOf(new RuntimeError('rro-unsupported', 'x')).details, 'RROUnsupported: x');
  t.is(statusOf(new RuntimeError('image-volume', 'x')).details, 'ImageVolumeMountFailed: x');
});

test('a foreign error is INTERNAL with its text', (t) => {
  t.deepEqual(statusOf(new TypeError('no such thing')), { code: status.INTERNAL, details: 'no such thing' });
  t.deepEqual(statusOf('thrown text'), { code: status.INTERNAL, details: 'thrown text' });
});

test('lines are joined, and a long text keeps its beginning and its end', (t) => {
  t.is(statusOf(new Error('runc failed:\n  no such file\r\n\n')).details, 'runc failed:; no such file');
  const long = statusOf(new Error(`begin ${'x'.repeat(50_000)} end`)).details;
  t.true(long.length < 5000);
  t.true(long.startsWith('begin') && long.endsWith('end'));
});

test('half of a surrogate pair does not break the trailer', (t) => {
  t.notThrows(() => encodeURI(statusOf(new Error('\ud83d')).details));
  t.notThrows(() => encodeURI(statusOf(new Error('🚢'.repeat(9_000))).details));
});
