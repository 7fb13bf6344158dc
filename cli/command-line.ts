import { parseArgs } from 'node:util';
import { RuntimeError } from '../api/errors.ts';
import { nearest } from '../api/nearest.ts';
import type { Ask, Verb, VerbOptions } from './verb.ts';

/** What the command line asks for. */
export type Command =
  | { do: 'help'; verb: string | undefined }
  | { do: 'run'; verb: string; socket: string; given: Pick<Ask, 'args' | 'flag' | 'text' | 'texts'> };

/** Options of every verb; they may also stand before it. */
export const commonOptions: VerbOptions = {
  socket: { type: 'string', placeholder: 'PATH', help: 'Unix socket of the daemon [/run/berth/berth.sock].' },
  help: { type: 'boolean', short: 'h', help: 'Print this and end.' },
};

const defaultSocket = '/run/berth/berth.sock';

/** Reads a command line. Throws `invalid`: an unknown verb or option (with the nearest valid one), too many or few arguments. */
export function readCommandLine(argv: readonly string[], verbs: Readonly<Record<string, Verb>>): Command {
  const { before, name, after } = splitAtVerb(argv, verbs);
  if (name === undefined) {
    const { flag } = parse(before, commonOptions, 'berth');
    if (before.length > 0 && !flag('help')) throw invalid('name a verb', 'berth');
    return { do: 'help', verb: undefined };
  }
  const verb = verbs[name] as Verb;
  const given = parse([...before, ...after], { ...commonOptions, ...verb.options }, `berth ${name}`);
  if (given.flag('help')) return { do: 'help', verb: name };
  const { usage, least, most } = verb.args;
  const count = given.args.length;
  if (count < least) throw invalid(`${usage} is missing`, `berth ${name}`);
  if (count > most) throw invalid(`unexpected argument '${given.args[most]}'`, `berth ${name}`);
  return { do: 'run', verb: name, socket: given.text('socket') ?? defaultSocket, given };
}

type Split = { before: string[]; name: string | undefined; after: string[] };

/** Finds the verb, which is of two words where the table has such a one; `help VERB` is `VERB --help`. */
function splitAtVerb(argv: readonly string[], verbs: Readonly<Record<string, Verb>>): Split {
  let at = 0;
  while (argv[at]?.startsWith('-')) at += argv[at] === '--socket' ? 2 : 1;
  const before = argv.slice(0, at);
  const [first, second] = argv.slice(at);
  if (first === undefined) return { before, name: undefined, after: [] };
  if (first === 'help') return splitAtVerb([...before, '--help', ...argv.slice(at + 1)], verbs);
  const two = `${first} ${second}`;
  if (Object.hasOwn(verbs, two)) return { before, name: two, after: argv.slice(at + 2) };
  if (Object.hasOwn(verbs, first)) return { before, name: first, after: argv.slice(at + 1) };
  throw invalid(`unknown verb ${first}${guess(first, Object.keys(verbs), '')}`, 'berth');
}

function parse(argv: readonly string[], options: VerbOptions, command: string): Pick<Ask, 'args' | 'flag' | 'text' | 'texts'> {
  const { tokens, positionals } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) throw invalid(`unknown option ${rawName}${guess(name, Object.keys(options), '--')}`, command);
    if (option.type === 'string' && value === undefined) throw invalid(`${rawName} needs a value: ${rawName} ${option.placeholder}`, command);
    if (option.type === 'boolean' && value !== undefined) throw invalid(`${rawName} takes no value`, command);
    values.set(name, [...(values.get(name) ?? []), value ?? '']);
  }
  const texts = (name: string): string[] => values.get(name) ?? [];
  return { args: positionals, flag: (name) => values.has(name), text: (name) => texts(name).at(-1), texts };
}

function guess(given: string, names: readonly string[], dashes: string): string {
  const meant = nearest(given, names);
  return meant === undefined ? '' : `: did you mean ${dashes}${meant}?`;
}

function invalid(why: string, command: string): RuntimeError {
  return new RuntimeError('invalid', `${why}${why.endsWith('?') ? '' : ';'} see ${command} --help`);
}
