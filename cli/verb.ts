import type { Daemon } from './daemon.ts';

/** An option as parseArgs takes it, with what help says of it. */
export type VerbOption = {
  type: 'boolean' | 'string';
  /** Stands for the value in help, of a string. */
  placeholder?: string;
  short?: string;
  /** May be given several times; the value then is a list. */
  multiple?: true;
  help: string;
};

/** Options by their name without the dashes. */
export type VerbOptions = Readonly<Record<string, VerbOption>>;

/** One thing that `berth` does; its name is its key in the table of verbs. */
export type Verb = {
  /** The arguments as help names them (`REF`), and how many there may be. */
  args: { usage: string; least: number; most: number };
  /** One line. */
  summary: string;
  options: VerbOptions;
  /** What the process ends with when it fails, where that is not as for other verbs. */
  failed?: number;
  /** Does it; an error's message becomes the one line that the user reads. */
  run(ask: Ask): Promise<void>;
};

/** What one run of a verb is given. */
export type Ask = {
  args: readonly string[];
  /** True for a boolean that was given. */
  flag(name: string): boolean;
  /** The last value of a string that was given. */
  text(name: string): string | undefined;
  /** All values of an option that may be given several times. */
  texts(name: string): readonly string[];
  daemon: Daemon;
  /** What the process ends with if it does not fail; 0 unless it is told. */
  endWith(exitCode: number): void;
  /** Writes to standard output; waits while its reader is slow. */
  print(text: string | Buffer): Promise<void>;
};

/** Of verbs that take no arguments. */
export const noArgs: Verb['args'] = { usage: '', least: 0, most: 0 };

/** Of verbs that can answer for programs, too. */
export const jsonOption: VerbOptions = { json: { type: 'boolean', help: 'Print JSON instead of a table.' } };
