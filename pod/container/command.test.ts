import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { checkCommand, MAX_COMMAND_BYTES, MAX_WORD_BYTES } from './command.ts';

test('a command that Linux can execute passes, up to the last byte', (t) => {
  t.notThrows(() => checkCommand('exec', ['sh', '-c', 'x'.repeat(MAX_WORD_BYTES)]));
  t.notThrows(() => checkCommand('exec', words(MAX_COMMAND_BYTES / 1024)));
});

test('what it cannot is refused with the limit', (t) => {
  const refused: [string[], RegExp][] = [
    [[], /no command/],
    [['sh', 'a\0b'], /argument 1 holds a NUL/],
    [['ü'.repeat(MAX_WORD_BYTES / 2 + 1)], /argument 0 has 131072 bytes, Linux takes 131071 \(limit MAX_ARG_STRLEN\)/],
    [words(MAX_COMMAND_BYTES / 1024 + 1), /Linux takes 6291456 \(limit ARG_MAX\)/],
  ];
  for (const [command, why] of refused) {
    const error = t.throws(() => checkCommand('exec in c', command));
    t.true(isKind(error, 'invalid'));
    t.regex(error?.message ?? '', why);
  }
});

/** Words of 1 KiB each, with the byte that ends them. */
function words(count: number): string[] {
  return Array<string>(count).fill('x'.repeat(1023));
}
