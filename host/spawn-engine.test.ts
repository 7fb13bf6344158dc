import { join } from 'node:path';
import test from 'ava';
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
