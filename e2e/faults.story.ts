import test, { type ExecutionContext } from 'ava';
import { fault } from './faults/fault.ts';
import { type Operation, operations } from './faults/operations.ts';
import { type Victim, victims } from './faults/order.ts';
import { killedAt, shimKilledAt, startKilledAt } from './faults/walk.ts';
import { seeded } from './harness/random.ts';
import { story } from './harness/story.ts';

/** `BERTH_FAULTS=all` walks through every effect of every operation; otherwise a sample of them is tried. */
const whole = process.env['BERTH_FAULTS'] === 'all';
const sampleMs = 90_000;
/** Later kills, when the engine is in the middle of what it was asked for. */
const delaysMs = [2, 8, 25];
let points = 0;

const faults = fault();
const stage = story({ daemon: { env: faults.env } });
test.after.always('the orders are removed', () => {
  faults.remove();
  if (whole) console.log(`${points} points in all`);
});

async function effectsOf(t: ExecutionContext, operation: Operation): Promise<string[]> {
  await killedAt(t, stage(), faults, { operation, at: 0, victim: 'daemon' });
  const effects = faults.effects();
  t.true(effects.length > 0, `${operation.name} has no effect`);
  return effects;
}

if (whole) {
  for (const operation of operations) {
    for (const victim of victims) {
      test(`${operation.name} succeeds on the retry after a kill of ${named(victim)} at each of its effects`, async (t) => {
        t.timeout(30 * 60_000);
        await walk(t, async (at) => {
          const hit = await killedAt(t, stage(), faults, { operation, at, victim });
          if (victim !== 'daemon' && hit?.endsWith(' sent')) {
            for (const delayMs of delaysMs) await killedAt(t, stage(), faults, { operation, at, victim, delayMs });
          }
          return hit;
        });
      });
    }
  }
  test('a start that is killed at each of its effects is made good by the next one', async (t) => {
    t.timeout(30 * 60_000);
    await walk(t, (at) => startKilledAt(t, stage(), faults, at));
  });
  for (const operation of operations.filter(({ name }) => !name.endsWith('Image'))) {
    test(`a pod whose shim is killed at each effect of ${operation.name} is lost, removed and made anew`, async (t) => {
      t.timeout(30 * 60_000);
      await walk(t, (at) => shimKilledAt(t, stage(), faults, { operation, at }));
    });
  }
} else {
  test('an operation killed at any of its effects succeeds on the retry, once, and leaves nothing', async (t) => {
    t.timeout(3 * sampleMs);
    const random = seeded(t);
    const counts = new Map<Operation, number>();
    for (const operation of operations) counts.set(operation, (await effectsOf(t, operation)).length);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const end = performance.now() + sampleMs;
    let tried = 0;
    while (performance.now() < end) {
      const operation = random.of(operations);
      const victim = random.of(operation.name.endsWith('Image') ? victims : ([...victims, 'shim'] as const));
      const at = 1 + random.below(counts.get(operation) ?? 1);
      const tryIt = () =>
        victim === 'shim'
          ? shimKilledAt(t, stage(), faults, { operation, at })
          : killedAt(t, stage(), faults, { operation, at, victim });
      await tryIt().catch((error: unknown) => {
        throw new Error(`${operation.name}, ${victim} killed at effect ${at}, ${faults.hit()}: ${String(error)}`, { cause: error });
      });
      tried++;
    }
    t.true(tried > 0);
    t.log(`${tried} of about ${total * (victims.length + 1)} points tried; npm run faults tries all`);
  });

  test("a removal that is killed when all but the pod's cgroups and its record is gone takes these away on the retry", async (t) => {
    const operation = operations.find(({ name }) => name === 'RemovePodSandbox') as Operation;
    const effects = await effectsOf(t, operation);
    const first = effects.lastIndexOf('releasePod answered') + 1;
    t.log(effects.slice(first));
    for (const at of new Set([first, first + 1, effects.length - 1])) {
      await killedAt(t, stage(), faults, { operation, at, victim: 'daemon' });
    }
  });
}

/** Kills at the first effect, the second and so on, until there is none to be killed at. */
async function walk(t: ExecutionContext, killAt: (at: number) => Promise<string | undefined>): Promise<void> {
  let at = 0;
  for (let hit: string | undefined = ''; hit !== undefined; ) {
    at++;
    hit = await killAt(at).catch((error: unknown) => {
      throw new Error(`killed at effect ${at}, ${faults.hit()}: ${String(error)}`, { cause: error });
    });
    if (hit !== undefined) t.log(`${at} ${hit}`);
  }
  points += at - 1;
  t.log(`${at - 1} points`);
}

function named(victim: Victim): string {
  return victim === 'both' ? 'daemon and engine' : `the ${victim}`;
}
