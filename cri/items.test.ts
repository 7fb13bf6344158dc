import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { itemsOf } from './items.ts';

test('a long list is whole, in order and as it was at the call, and others get their turn meanwhile', async (t) => {
  const records = new Set(Array.from({ length: 2000 }, (_, at) => at));
  const slow = (at: number): Buffer => {
    for (const untilMs = performance.now() + 0.05; performance.now() < untilMs; );
    return Buffer.from(`${at}`);
  };
  let turns = 0;
  let ended = false;
  const items = itemsOf(records, (at) => at % 2 === 0, slow).finally(() => (ended = true));
  records.add(2000);
  while (!ended) {
    await setImmediate();
    turns++;
  }
  t.deepEqual((await items).map(String), Array.from({ length: 1000 }, (_, at) => `${2 * at}`));
  t.true(turns > 3, `${turns} turns`);
});
