import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { decode, encode, encodedList } from '../api/cri.ts';
import { isKind } from '../api/errors.ts';
import { streamedList, wholeList } from './batches.ts';

async function idsOf(count: number, padding: string): Promise<string[][]> {
  const items = Array.from({ length: count }, (_, at) => encode('PodSandbox', { id: `${at}`, annotations: { padding } }));
  const batches: string[][] = [];
  for await (const reply of streamedList(items)) {
    batches.push(decode('StreamPodSandboxesResponse', reply).pod_sandboxes.map((one) => one.id));
  }
  return batches;
}

test('a small list is one batch, an empty one none', async (t) => {
  t.deepEqual(await idsOf(3, ''), [['0', '1', '2']]);
  t.deepEqual(await idsOf(0, ''), []);
});

test('a large list comes in several batches, every item once and in order', async (t) => {
  const batches = await idsOf(50, 'x'.repeat(100_000));
  t.true(batches.length > 3);
  t.true(batches.every((batch) => batch.length > 0));
  t.deepEqual(batches.flat(), Array.from({ length: 50 }, (_, at) => `${at}`));
});

test('one reply of a large list is the same as if it were made at once, and others get their turn meanwhile', async (t) => {
  const items = Array.from({ length: 8000 }, (_, at) => encode('Container', { id: `${at}`, annotations: { padding: 'x'.repeat(at % 1000) } }));
  let turns = 0;
  let ended = false;
  const whole = wholeList(items).finally(() => (ended = true));
  while (!ended) {
    await setImmediate();
    turns++;
  }
  t.true((await whole).equals(encodedList(items)));
  t.true(turns >= 3, `${turns} turns`);
  t.deepEqual(await wholeList([]), Buffer.alloc(0));
});

test('a list that is larger than an answer may be is refused by the limit and its streamed form, which has it', async (t) => {
  const item = encode('Container', { annotations: { padding: 'x'.repeat(1 << 20) } });
  const items = Array<Buffer>(80).fill(item);
  const error = await t.throwsAsync(wholeList(items), { message: /^the answer takes 8\d{7} bytes: ask for less by a filter, or by the streamed form of the call \(limit maxReplyBytes, 83886080\)$/ });
  t.true(isKind(error, 'exhausted'));
  let batches = 0;
  for await (const batch of streamedList(items)) batches += batch.length > item.length ? 1 : 0;
  t.is(batches, 80);
});
