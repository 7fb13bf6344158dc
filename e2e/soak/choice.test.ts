import test from 'ava';
import { random } from '../harness/random.ts';
import { blows, containerPlan } from './choice.ts';

const run = (seed: number): ReturnType<typeof blows>[] => {
  const source = random(seed);
  return Array.from({ length: 200 }, () => blows(source));
};

test('the same seed makes the same choices', (t) => {
  t.deepEqual(run(42), run(42));
});

test('every minute restarts daemon and engine, in order of time, and each is killed now and then', (t) => {
  const minutes = run(7);
  for (const minute of minutes) {
    t.deepEqual(minute.filter(({ act }) => act !== 'kill').map(({ act }) => act).sort(), ['restart daemon', 'restart engine']);
    t.deepEqual(minute, minute.toSorted((one, other) => one.atMs - other.atMs));
  }
  const killed = new Set(minutes.flat().flatMap((blow) => (blow.act === 'kill' ? [blow.victim] : [])));
  t.deepEqual([...killed].sort(), ['both', 'daemon', 'engine', 'plugin', 'runtime', 'shim']);
});

test('a container ends with a code of its own, sometimes after it was stopped', (t) => {
  const source = random(3);
  const plans = Array.from({ length: 500 }, () => containerPlan(source, 1200, 'a'));
  t.true(plans.every(({ code, lines }) => code >= 0 && code < 255 && lines > 0 && lines <= 1200));
  const stopped = plans.filter(({ stopAfterMs }) => stopAfterMs !== undefined).length;
  t.true(stopped > 0 && stopped < 250);
});
