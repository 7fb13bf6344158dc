import test from 'ava';
import { givesWay } from './give-way.ts';

test('unpacking gives way to calls, told seldom, longer to those that make pods, and only while there is some', (t) => {
  let [layers, clockMs] = [0, 1000];
  const told: number[] = [];
  const called = givesWay({ layersInFlight: () => layers, giveWay: async (ms) => told.push(ms), nowMs: () => clockMs });
  called('ListContainers');
  t.deepEqual(told, []);
  layers = 3;
  called('ListContainers');
  called('ListPodSandbox');
  t.deepEqual(told, [100]);
  called('RunPodSandbox');
  called('CreateContainer');
  t.deepEqual(told, [100, 200]);
  clockMs += 149;
  called('ListContainers');
  t.is(told.length, 2);
  clockMs += 1;
  called('ListContainers');
  t.deepEqual(told, [100, 200, 100]);
});

test('an engine that is away does not fail a call', async (t) => {
  const called = givesWay({ layersInFlight: () => 1, giveWay: () => Promise.reject(new Error('away')), nowMs: () => 0 });
  t.notThrows(() => called('ExecSync'));
  await Promise.resolve();
});
