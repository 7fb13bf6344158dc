// npm run fuzz -- [--target NAME] [--seconds N] [--executions N] [--seed N] [--input FILE]: the parsers of foreign bytes on
// changed inputs, each target for so long or so often; ends with status 1 when one breaks a property.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { attempt, type Bounds, fuzz } from './run.ts';
import { targets } from './targets.ts';

/** Targets in Rust: tests of berth-native by name. */
const native: Readonly<Record<string, string>> = {
  tar: 'unpack::tests::fuzz::tar',
  'tar-tree': 'unpack::tests::fuzz_tree::tree',
  'tar-like-gnu': 'unpack::tests::fuzz_like_gnu::like_gnu',
  inflate: 'unpack::tests::fuzz::inflate',
  location: 'unpack::fetch::location::tests::any_location',
  'native-frames': 'fuzz::frames::frames',
  'native-packets': 'fuzz::frames::packets',
};

/** Most memory that a target may come to, in bytes; most of it is Node's own. */
const maxRssBytes = 1 << 30;

const { values } = parseArgs({
  options: { target: { type: 'string' }, seconds: { type: 'string' }, executions: { type: 'string' }, seed: { type: 'string' }, input: { type: 'string' } },
});
const names = [...Object.keys(targets), ...Object.keys(native)];
if (values.target !== undefined && !names.includes(values.target)) {
  console.error(`fuzz: no target ${values.target}; there are ${names.join(', ')}`);
  process.exit(2);
}
const bounds: Bounds = {
  executions: Number(values.executions ?? Number.POSITIVE_INFINITY),
  seconds: Number(values.seconds ?? (values.executions === undefined ? 10 : Number.POSITIVE_INFINITY)),
  seed: Number(values.seed ?? randomInt(1 << 30)),
};

let failed = 0;
for (const name of values.target === undefined ? names : [values.target]) {
  const ok = name in targets ? await run(name) : runNative(name);
  if (!ok) failed++;
}
console.log(`fuzz: ${failed} targets failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function run(name: string): Promise<boolean> {
  const target = targets[name];
  if (target === undefined) return false;
  try {
    if (values.input !== undefined) {
      console.log(`${name}: ${attempt(name, target, readFileSync(values.input), { seed: 0, execution: 0 })}`);
      return true;
    }
    const { executions, seconds, endings } = await fuzz(name, target, bounds);
    const rssBytes = process.memoryUsage().rss;
    console.log(`${name}: ${executions} executions, ${endings} endings, ${seconds.toFixed(0)} s, ${Math.round(rssBytes / 2 ** 20)} MiB, seed ${bounds.seed}`);
    return rssBytes <= maxRssBytes;
  } catch (error) {
    console.error(error);
    return false;
  }
}

/** `cargo test` of the one target, built with checks of overflow; the test prints its own line. */
function runNative(name: string): boolean {
  const cargo = ['test', '--quiet', '--profile', 'fuzz', '--bin', 'berth-native', '--', '--exact', '--nocapture', native[name] ?? ''];
  const env = {
    ...process.env,
    BERTH_FUZZ: name,
    BERTH_SEED: String(bounds.seed),
    ...(Number.isFinite(bounds.executions) && { BERTH_FUZZ_EXECUTIONS: String(bounds.executions) }),
    ...(Number.isFinite(bounds.seconds) && { BERTH_FUZZ_SECONDS: String(bounds.seconds) }),
    ...(values.input !== undefined && { BERTH_FUZZ_INPUT: values.input }),
  };
  return spawnSync('cargo', cargo, { cwd: join(import.meta.dirname, '../runtime-native'), env, stdio: 'inherit' }).status === 0;
}
