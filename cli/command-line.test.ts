import test from 'ava';
import { readCommandLine } from './command-line.ts';
import { helpText, verbHelp } from './help.ts';
import { noArgs, type Verb } from './verb.ts';
import { verbs } from './verbs.ts';

const verb = (args: Verb['args'], options: Verb['options'] = {}): Verb => ({ args, summary: 'Does it.', options, run: async () => {} });
const known = {
  images: verb(noArgs, { json: { type: 'boolean', help: '' }, filter: { type: 'string', placeholder: 'KEY=VALUE', multiple: true, help: '' } }),
  'images prune': verb(noArgs),
  pull: verb({ usage: 'REF', least: 1, most: 1 }),
};

const read = (line: string) => {
  const command = readCommandLine(line.split(' ').filter((word) => word !== ''), known);
  return command.do === 'run' ? { verb: command.verb, socket: command.socket, args: [...command.given.args] } : command;
};
const refusal = (line: string): string => {
  try {
    return JSON.stringify(read(line));
  } catch (error) {
    return (error as Error).message;
  }
};

test('the verb is of two words where the table has such a one, and common options may stand before and after it', (t) => {
  const socket = '/run/berth/berth.sock';
  t.deepEqual(read('images'), { verb: 'images', socket, args: [] });
  t.deepEqual(read('images prune'), { verb: 'images prune', socket, args: [] });
  t.deepEqual(read('--socket /a pull x:1'), { verb: 'pull', socket: '/a', args: ['x:1'] });
  t.deepEqual(read('--socket=/a pull x:1'), { verb: 'pull', socket: '/a', args: ['x:1'] });
  t.deepEqual(read('pull x:1 --socket unix:///a'), { verb: 'pull', socket: 'unix:///a', args: ['x:1'] });
  t.deepEqual(read('pull -- --odd'), { verb: 'pull', socket, args: ['--odd'] });
});

test('options give their values', (t) => {
  const command = readCommandLine(['images', '--json', '--filter', 'a=b', '--filter=c=d'], known);
  if (command.do !== 'run') return t.fail();
  t.true(command.given.flag('json'));
  t.deepEqual(command.given.texts('filter'), ['a=b', 'c=d']);
  t.is(command.given.text('filter'), 'c=d');
  t.false(command.given.flag('socket'));
});

test('help is asked for by itself, for a verb, and by the word help', (t) => {
  t.deepEqual(read(''), { do: 'help', verb: undefined });
  t.deepEqual(read('-h'), { do: 'help', verb: undefined });
  t.deepEqual(read('help'), { do: 'help', verb: undefined });
  t.deepEqual(read('pull --help'), { do: 'help', verb: 'pull' });
  t.deepEqual(read('help images prune'), { do: 'help', verb: 'images prune' });
});

test('what is wrong is told in one line with the nearest valid name', (t) => {
  const cases: [string, string][] = [
    ['imags', 'unknown verb imags: did you mean images? see berth --help'],
    ['toString', 'unknown verb toString; see berth --help'],
    ['images --jsn', 'unknown option --jsn: did you mean --json? see berth images --help'],
    ['images --json=1', '--json takes no value; see berth images --help'],
    ['images --filter', '--filter needs a value: --filter KEY=VALUE; see berth images --help'],
    ['pull', 'REF is missing; see berth pull --help'],
    ['pull a b', "unexpected argument 'b'; see berth pull --help"],
    ['--socket /a', 'name a verb; see berth --help'],
    ['--sockt /a images', 'unknown verb /a; see berth --help'],
  ];
  for (const [line, message] of cases) t.is(refusal(line), message);
});

test('help lists every verb, and of each its options', (t) => {
  const page = helpText(verbs);
  for (const [name, each] of Object.entries(verbs)) {
    t.regex(page, new RegExp(`^  ${name} `, 'm'));
    for (const option of Object.keys(each.options)) t.true(verbHelp(name, each).includes(`--${option}`));
  }
});
