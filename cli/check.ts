import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { RuntimeError } from '../api/errors.ts';
import { type Checked, countsText, problemText } from '../api/problem.ts';
import type { Ask, Verb } from './verb.ts';

/** What the process ends with. */
const exitCode = { clean: 0, problems: 1, couldNotCheck: 2 } as const;

/** `berth check` */
export const check: Verb = {
  args: { usage: '[-- BERTHD-OPTION…]', least: 0, most: Number.POSITIVE_INFINITY },
  summary: 'Verify images, pods and containers, and name each problem. Ends with 0 when there is none, 1 when there are, 2 when it could not look.',
  options: {
    full: { type: 'boolean', help: 'Verify the content of every layer too: reads all of them.' },
    repair: { type: 'boolean', help: 'Drop what is bad and not in use; the next pull brings images anew.' },
    offline: { type: 'boolean', help: 'Look at what a daemon left that does not run; options of berthd, such as --root, come after --.' },
    json: { type: 'boolean', help: 'Print each problem as a JSON object, one a line.' },
  },
  failed: exitCode.couldNotCheck,
  async run(ask) {
    if (ask.flag('offline')) return ask.endWith(await offline(ask));
    if (ask.args.length > 0) throw new RuntimeError('invalid', `unexpected argument '${ask.args[0]}': options of berthd are for --offline`);
    ask.endWith(await online(ask));
  },
};

async function online({ flag, daemon, print }: Ask): Promise<number> {
  const found: Checked[] = [];
  for await (const { problem, counts } of daemon.stream('Check', { full: flag('full'), repair: flag('repair') })) {
    if (problem !== null) {
      found.push(problem);
      await print(`${flag('json') ? JSON.stringify(problem) : problemText(problem)}\n`);
    } else if (counts !== null && !flag('json')) {
      await print(`${countsText(counts, found)}\n`);
    }
  }
  return found.length === 0 ? exitCode.clean : exitCode.problems;
}

/** The daemon's own program knows where all lies; its exit codes are ours. */
function offline({ args, flag }: Ask): Promise<number> {
  const asked = ['full', 'repair', 'json'].filter(flag).map((name) => `--${name}`);
  const child = spawn(join(import.meta.dirname, '../bin/berthd'), ['check', ...asked, ...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new RuntimeError('internal', `cannot start berthd: ${error.message}`, error)));
    child.once('exit', (code) => resolve(code ?? exitCode.couldNotCheck));
  });
}
