import { RuntimeError } from '../api/errors.ts';
import type { OptionKey } from './options.ts';

/** One option's value as one source gives it. */
export type Setting = { key: OptionKey; value: unknown };

/** Reads one value with `how`; what is wrong with it becomes an `invalid` error that starts with `name` and the value. */
export function readValue<T, U>(name: string, value: T, how: (value: T) => U): U {
  try {
    return how(value);
  } catch (error) {
    const shown = typeof value === 'object' ? '' : ` ${JSON.stringify(value)}`;
    throw new RuntimeError('invalid', `${name}${shown} ${(error as Error).message}`);
  }
}
