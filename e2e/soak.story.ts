import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { carryOut } from './soak/blows.ts';
import type { Blow } from './soak/choice.ts';
import { frailPrograms } from './soak/programs.ts';
import { during, makeSoak } from './soak/stage.ts';

const frail = frailPrograms();
const stage = story({ daemon: frail.options });

const victims = ['daemon', 'shim', 'engine', 'both'] as const;
const blows: readonly Blow[] = [
  { atMs: 0, act: 'restart daemon' },
  ...victims.map((victim): Blow => ({ atMs: 0, act: 'kill', victim })),
];

test('while daemon, engine and shims are killed below living pods, no exit and no line is lost', async (t) => {
  t.timeout(600_000);
  const directory = mkdtempSync(join(tmpdir(), 'berth-soak-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const soak = makeSoak({ daemon: stage().daemon, frail, directory, seed: 1, pods: 4, longest: 30 });
  const exits = (): number => soak.counts.get('exits') ?? 0;
  await during(soak, async () => {
    for (const blow of blows) {
      const before = exits();
      await until(() => exits() > before && soak.homes.every(({ pod }) => pod !== undefined), 300_000, 'containers to end');
      await carryOut(soak, blow);
    }
  });
  t.deepEqual(soak.problems, []);
  t.log(JSON.stringify(Object.fromEntries(soak.counts)));
});
