import { RuntimeError } from '../../api/errors.ts';

/** Longest word of a command, in bytes (Linux's MAX_ARG_STRLEN, less the byte that ends it). */
export const MAX_WORD_BYTES = (128 << 10) - 1;

/** Most bytes of all words, whatever the stack may grow to (execve(2): three quarters of 8 MiB). */
export const MAX_COMMAND_BYTES = 6 << 20;

/** Refuses what Linux could not execute; `doing` starts the message. Throws `invalid`. */
export function checkCommand(doing: string, command: readonly string[]): void {
  const refuse = (why: string): never => {
    throw new RuntimeError('invalid', `${doing}: ${why}`);
  };
  if (command.length === 0) refuse('no command');
  let totalBytes = 0;
  for (const [at, word] of command.entries()) {
    const bytes = Buffer.byteLength(word);
    totalBytes += bytes + 1;
    if (word.includes('\0')) refuse(`argument ${at} holds a NUL byte`);
    if (bytes > MAX_WORD_BYTES) refuse(`argument ${at} has ${bytes} bytes, Linux takes ${MAX_WORD_BYTES} (limit MAX_ARG_STRLEN)`);
  }
  if (totalBytes > MAX_COMMAND_BYTES) {
    refuse(`the command has ${totalBytes} bytes, Linux takes ${MAX_COMMAND_BYTES} (limit ARG_MAX)`);
  }
}
