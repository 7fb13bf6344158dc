import test from 'ava';
import { withinCap } from './exec.ts';

for (const [stdout, stderr, keptOut, keptErr] of [
  [3, 4, 3, 4], [20, 2, 8, 2], [2, 20, 2, 8], [20, 20, 5, 5], [10, 0, 10, 0], [7, 5, 5, 5],
] as const) {
  test(`of ${stdout} and ${stderr} bytes, ${keptOut} and ${keptErr} fit into 10`, (t) => {
    const kept = withinCap(Buffer.alloc(stdout), Buffer.alloc(stderr), 10);
    t.deepEqual([kept.stdout.length, kept.stderr.length], [keptOut, keptErr]);
  });
}
