import { randomInt } from 'node:crypto';
import test from 'ava';
import { random } from '../e2e/harness/random.ts';
import { cut, maxInputBytes, mutated } from './mutate.ts';
import { fuzz } from './run.ts';
import { targets } from './targets.ts';

const seed = Number(process.env['BERTH_SEED'] ?? randomInt(1 << 30));

for (const [name, target] of Object.entries(targets)) {
  test(`whatever bytes it gets, the parser of ${name} keeps to its properties`, (t) => {
    t.log(`BERTH_SEED=${seed} replays this`);
    const { executions } = fuzz(name, target, { executions: 500, seconds: 60, seed });
    t.true(executions >= target.seeds.length);
  });
}

test('the same seed makes the same inputs, another makes others', (t) => {
  const inputs = [Buffer.from('one input'), Buffer.from('{"and": "another"}')];
  const made = (from: number): Buffer[] => Array.from({ length: 50 }, ((dice) => () => mutated(inputs, dice))(random(from)));
  t.deepEqual(made(7), made(7));
  t.notDeepEqual(made(7), made(8));
  t.true(mutated([Buffer.alloc(2 * maxInputBytes)], random(1)).length <= maxInputBytes);
  t.deepEqual(Buffer.concat(cut(Buffer.from('some bytes'), random(3))), Buffer.from('some bytes'));
});
