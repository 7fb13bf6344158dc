import test from 'ava';
import { givesWay } from './give-way.ts';

test('unpacking gives way to calls, told seldom, and only while there is some', (t) => {
  let [layers, clockMs] = [0, 1000];
  const told: number[] = [];
  const called = givesWay({
    layersInFlight: () => layers,
    giveWay: async (ms) => told.push(ms),
    nowMs: () => clockMs,
  });
  called();
  t.deepEqual(told, []);
  layers = 3;
  called();
  called();
  t.is(told.length, 1);
  clockMs += 50;
  called();
  t.is(told.length, 2);
});

test('an engine that is away does not fail a call', async (t) => {
  const called = givesWay({ layersInFlight: () => 1, giveWay: () => Promise.reject(new Error('away')), nowMs: () => 0 });
  t.notThrows(called);
  await Promise.resolve();
});
