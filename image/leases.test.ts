import test from 'ava';
import { imageRecord } from './fixtures/record.ts';
import { createLeases } from './leases.ts';

test('when somebody was told of an image is kept while it is here, and forgotten of those that went', (t) => {
  const here = new Set<string>();
  let asked = 0;
  const leases = createLeases((id) => {
    asked++;
    return here.has(id);
  });
  const stays = imageRecord('a');
  here.add(stays.id);
  leases.touch(stays.id);
  for (let i = 0; i < 10_000; i++) leases.touch(`sha256:gone-${i}`);
  t.true(leases.touchedAtNs(stays) > stays.pulledAtNs);
  t.is(leases.touchedAtNs({ ...stays, id: 'sha256:gone-0' }), stays.pulledAtNs);
  t.true(asked < 20_000, `asked ${asked} times`);
});
