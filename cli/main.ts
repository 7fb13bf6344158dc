import { once } from 'node:events';
import { asRuntimeError } from '../api/errors.ts';
import { type Command, readCommandLine } from './command-line.ts';
import { connect } from './daemon.ts';
import { helpText, verbHelp } from './help.ts';
import type { Verb } from './verb.ts';
import { verbs } from './verbs.ts';

/** What the process ends with; the page of help lists them. */
const exitCode = { done: 0, failed: 1, wrongCommandLine: 2, noDaemon: 3 } as const;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read the output has enough of it.
  if (error.code === 'EPIPE') process.exit(exitCode.done);
  process.stderr.write(`berth: cannot write the output: ${error.message}\n`);
  process.exit(exitCode.failed);
});
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let command: Command;
  try {
    command = readCommandLine(argv, verbs);
  } catch (error) {
    process.stderr.write(`berth: ${asRuntimeError(error).message}\n`);
    return exitCode.wrongCommandLine;
  }
  if (command.do === 'run') return runVerb(command);
  await print(command.verb === undefined ? helpText(verbs) : verbHelp(command.verb, verbs[command.verb] as Verb));
  return exitCode.done;
}

async function runVerb({ verb, socket, given }: Command & { do: 'run' }): Promise<number> {
  const { run, failed } = verbs[verb] as Verb;
  const daemon = connect(socket);
  try {
    let ending: number = exitCode.done;
    await run({
      ...given,
      daemon,
      print,
      endWith: (code) => {
        ending = code;
      },
    });
    return ending;
  } catch (error) {
    const { kind, message } = asRuntimeError(error);
    process.stderr.write(`berth ${verb}: ${message}\n`);
    return failed ?? (kind === 'unavailable' ? exitCode.noDaemon : exitCode.failed);
  } finally {
    daemon.close();
  }
}

async function print(text: string | Buffer): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
