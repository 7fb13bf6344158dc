import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { random } from '../e2e/harness/random.ts';
import { cut, maxInputBytes, mutated } from './mutate.ts';
import { fuzz } from './run.ts';
import { targets } from './targets.ts';

const seed = Number(process.env['BERTH_SEED'] ?? randomInt(1 << 30));

for (const [name, target] of Object.entries(targets)) {
  test(`whatever bytes it gets, the parser of ${name} keeps to its properties`, async (t) => {
    t.log(`BERTH_SEED=${seed} replays this`);
    const { executions } = await fuzz(name, target, { executions: 500, seconds: 1, seed });
    t.true(executions >= target.seeds.length);
  });
}

test('an input that breaks a property is kept, told with seed and execution, and tried first from then on', async (t) => {
  const corpora = mkdtempSync(join(tmpdir(), 'berth-fuzz-'));
  t.teardown(() => rmSync(corpora, { recursive: true }));
  const target = {
    seeds: ['aaaa'],
    parse(input: Buffer): string {
      if (input.length > 4) throw new Error('longer than it may be');
      return `${input.length}`;
    },
  };
  const run = async (executions: number) => (await t.throwsAsync(fuzz('short', target, { executions, seconds: 60, seed: 5, corpora })))?.message ?? '';
  t.regex(await run(10_000), /fuzz target short, seed 5, execution \d+, input .*\/short\/crash-[0-9a-f]{16}: Error: longer than it may be/);
  t.is(readdirSync(join(corpora, 'short')).length, 1);
  t.regex(await run(0), /seed 5, execution 1, input/);
});

test('the same seed makes the same inputs, another makes others', (t) => {
  const inputs = [Buffer.from('one input'), Buffer.from('{"and": "another"}')];
  const made = (from: number): Buffer[] => Array.from({ length: 50 }, ((dice) => () => mutated(inputs, dice))(random(from)));
  t.deepEqual(made(7), made(7));
  t.notDeepEqual(made(7), made(8));
  t.true(mutated([Buffer.alloc(2 * maxInputBytes)], random(1)).length <= maxInputBytes);
  t.deepEqual(Buffer.concat(cut(Buffer.from('some bytes'), random(3))), Buffer.from('some bytes'));
});
