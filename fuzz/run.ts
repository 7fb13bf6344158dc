import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Random, random } from '../e2e/harness/random.ts';
import { mutated } from './mutate.ts';

/** One parser of foreign bytes. */
export type Target = {
  /** Inputs to begin with, besides those in its corpus. */
  seeds: readonly (Buffer | string)[];
  /** Parses the input; says how it ended in few words, throws when a property does not hold. `random` is the input's own. */
  parse(input: Buffer, random: Random): string;
};

/** When a run ends: after so many executions or so much time, whichever comes first. `corpora`: where inputs are kept. */
export type Bounds = { executions: number; seconds: number; seed: number; corpora?: string };
export type Outcome = { executions: number; seconds: number; endings: number };

/** An execution that takes longer is a failure, in milliseconds; far more than any takes on a machine that is busy. */
const slowMs = 10_000;
/** Inputs that ended in a new way are kept to be changed further, at most so many. */
const maxKept = 1000;

const kept = join(import.meta.dirname, 'corpus');

/** Runs a target on its corpus as it is, then on changed inputs. An input that breaks a property becomes a file of the corpus. */
export async function fuzz(name: string, target: Target, { executions, seconds, seed, corpora = kept }: Bounds): Promise<Outcome> {
  const given = [...target.seeds.map((each) => Buffer.from(each)), ...corpusOf(join(corpora, name))];
  const inputs = [...given];
  const dice = random(seed);
  const endings = new Set<string>();
  const from = performance.now();
  let done = 0;
  for (; done < given.length || (done < executions && performance.now() - from < seconds * 1000); done++) {
    // What native code holds, such as inflaters, is let go between turns of the event loop only.
    if (done % 1000 === 999) await nextTurn();
    const input = done < given.length ? given[done] ?? Buffer.alloc(0) : mutated(inputs, dice);
    const ending = attempt(name, target, input, { seed, execution: done, folder: join(corpora, name) });
    if (endings.has(ending) || endings.size >= maxKept) continue;
    endings.add(ending);
    if (done >= given.length) inputs.push(input);
  }
  return { executions: done, seconds: (performance.now() - from) / 1000, endings: endings.size };
}

/** Runs a target on one input. */
export function attempt(name: string, target: Target, input: Buffer, at: { seed: number; execution: number; folder?: string }): string {
  const from = performance.now();
  try {
    const ending = target.parse(input, random(hashOf(input).readInt32BE(0)));
    if (performance.now() - from > slowMs) throw new Error(`it took longer than ${slowMs} ms`);
    return ending;
  } catch (error) {
    const file = keep(at.folder ?? join(kept, name), input);
    throw new Error(`fuzz target ${name}, seed ${at.seed}, execution ${at.execution}, input ${file}: ${String(error)}`, { cause: error });
  }
}

function corpusOf(folder: string): Buffer[] {
  return existsSync(folder) ? readdirSync(folder).sort().map((file) => readFileSync(join(folder, file))) : [];
}

function keep(folder: string, input: Buffer): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `crash-${hashOf(input).toString('hex').slice(0, 16)}`);
  writeFileSync(file, input);
  return file;
}

function hashOf(input: Buffer): Buffer {
  return createHash('sha256').update(input).digest();
}
