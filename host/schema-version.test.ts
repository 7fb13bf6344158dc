import test from 'ava';
import { isKind } from '../api/errors.ts';
import { migrated, refuseNewer } from './schema-version.ts';

test('what an older release wrote goes through each step since, and no other', (t) => {
  const steps = [2, 3, 4].map((version) => (text: string) => `${text}${version}`);
  t.deepEqual([1, 2, 3, 4].map((version) => migrated('', version, steps)), ['234', '34', '4', '']);
});

test('a newer format is refused with both versions and what to do, the known one and older ones are not', (t) => {
  for (const version of [0, 1, 2]) t.notThrows(() => refuseNewer({ path: '/f', version, known: 2 }));
  const error = t.throws(() => refuseNewer({ path: '/f', version: 3, known: 2 }), { message: '/f has schema version 3, this release knows 2: start the release that wrote it' });
  t.true(isKind(error, 'newer-format'));
});
