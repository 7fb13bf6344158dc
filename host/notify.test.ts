import test from 'ava';
import type { Engine } from './engine.ts';
import { startedAs, watchdogMs } from './notify.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function recorder(): { said: object[]; engine: Engine } {
  const said: object[] = [];
  const call = (name: string, ask: object) => {
    said.push({ name, ...ask });
    return Promise.resolve({});
  };
  return {
    said,
    engine: { call, pid: () => 0, away: () => false, close: () => Promise.resolve() } as unknown as Engine,
  };
}

test('the manager hears of readiness and of the end, in the name of the main process', async (t) => {
  const { said, engine } = recorder();
  const service = startedAs({ NOTIFY_SOCKET: '/n' }, { pid: 7, engine, log: quiet });
  await service.ready();
  await service.stopping();
  const states = ['READY=1\nMAINPID=7', 'STOPPING=1'];
  t.deepEqual(
    said,
    states.map((state) => ({ name: 'notify', socket: '/n', pid: 7, state })),
  );
});

test('the watchdog is fed while the process serves, not after', async (t) => {
  const { said, engine } = recorder();
  const env = { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '3000', WATCHDOG_PID: '7' };
  const service = startedAs(env, { pid: 7, engine, log: quiet });
  await service.ready();
  while (said.length < 3) await new Promise(setImmediate);
  await service.stopping();
  t.like(said[2], { state: 'WATCHDOG=1' });
  const told = said.length;
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(said.length, told);
});

test('the watchdog hears nothing while the event loop is blocked, and again afterwards', async (t) => {
  const { said, engine } = recorder();
  const env = { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '3000', WATCHDOG_PID: '7' };
  const service = startedAs(env, { pid: 7, engine, log: quiet });
  await service.ready();
  while (said.length < 2) await new Promise(setImmediate);
  const fed = said.length;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  t.is(said.length, fed);
  while (said.length === fed) await new Promise(setImmediate);
  await service.stopping();
});

test('without a manager nobody is told', async (t) => {
  const { said, engine } = recorder();
  const service = startedAs({}, { pid: 7, engine, log: quiet });
  await service.ready();
  await service.stopping();
  t.deepEqual(said, []);
});

test('a watchdog meant for another process is not ours to feed', (t) => {
  t.is(watchdogMs({ NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '60000000' }, 7), 20_000);
  t.is(watchdogMs({ NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' }, 7), 0);
  t.is(watchdogMs({ NOTIFY_SOCKET: '/n' }, 7), 0);
  t.is(watchdogMs({ WATCHDOG_USEC: '60000000' }, 7), 0);
});
