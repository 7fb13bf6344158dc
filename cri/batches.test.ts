import test from 'ava';
import { decode, encode } from '../api/cri.ts';
import { streamedList } from './batches.ts';

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
