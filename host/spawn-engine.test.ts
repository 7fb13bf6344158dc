import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { RuntimeError } from '../api/errors.ts';
import type { Log, Meter } from '../api/observe.ts';
import { startEngine } from './spawn-engine.ts';

const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
const built = `../runtime-native/target/${machine}-unknown-linux-gnu/release/berth-native`;
/** The built engine; `BERTH_NATIVE` names another. */
const path = process.env['BERTH_NATIVE'] ?? join(import.meta.dirname, built);

test('an engine whose answer came while this process was busy is not taken for one that hangs', async (t) => {
  const errors: string[] = [];
  const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (message) => void errors.push(message) };
  const starting = startEngine({ path, log, meter: { count: () => undefined } as unknown as Meter });
  // Longer than a new engine may take for its answer.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_200);
  const engine = await starting;
  t.not((await engine.call('statfs', { path: '/' })).totalBytes, '0');
  await engine.close();
  t.deepEqual(errors, []);
});

test('an engine whose limit of memory is lowered is replaced: what cannot be made again fails as exhausted, the rest is made by the new one', async (t) => {
  const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const engine = await startEngine({ path, log, meter: { count: () => undefined } as unknown as Meter });
  const lower = (pid: number): void => {
    t.is(spawnSync('prlimit', ['--pid', `${pid}`, `--as=${2 ** 40}:`]).status, 0);
  };
  const run = () => engine.call('run', { lane: 'runtime', path: '/bin/echo', args: ['well'], env: {}, stdin: '', timeoutMs: 60_000 });
  const first = engine.pid();
  lower(first);
  const error = await t.throwsAsync(run(), { instanceOf: RuntimeError });
  t.is((error as RuntimeError).kind, 'exhausted');
  t.is((await run()).stdout, 'well\n');
  const second = engine.pid();
  t.not(second, first);
  lower(second);
  t.not((await engine.call('statfs', { path: '/' })).totalBytes, '0');
  t.not(engine.pid(), second);
  await engine.close();
});
