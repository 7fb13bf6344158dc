import test from 'ava';
import { createClaims } from './claims.ts';

test('a name is held until everyone who took it has let it go, each of them once', (t) => {
  const claims = createClaims();
  const [first, second] = [claims.take(['a', 'b']), claims.take(['a'])];
  first();
  first();
  t.deepEqual([claims.has('a'), claims.has('b')], [true, false]);
  second();
  t.false(claims.has('a'));
});
