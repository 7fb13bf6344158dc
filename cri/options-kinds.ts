/** The values an option can have: how one is read from a command line or a TOML file and written back. */
export type Kind<T> = {
  /** Stands for the value in `--help`. */
  placeholder: string;
  /** Reads the value after the option on a command line; throws an Error that says what is valid. */
  fromText(text: string): T;
  /** Reads a value of a parsed TOML file; throws an Error that says what is valid. */
  fromToml(value: unknown): T;
  /** The value as a person writes it on a command line. */
  toText(value: T): string;
  /** The value as TOML. */
  toToml(value: T): string;
  /** Joins what several sources say; without it the last one counts. */
  merge?(earlier: T, later: T): T;
};

/** A name of one of the programs that run containers, and how to start it. */
export type RuntimeProgram = {
  path: string;
  args: readonly string[];
  /** Privileged containers get only the devices they ask for. */
  privilegedWithoutHostDevices: boolean;
  /** `process`: a pod's containers run inside one sandbox process, which is started before them (gVisor, Kata by command line). */
  sandbox: 'none' | 'process';
  /** What images it runs (`linux/arm64/v8`) when those of this machine are not meant; else empty. */
  platform: string;
};

/** Programs by the name that a RuntimeClass' handler asks for. */
export type RuntimePrograms = Readonly<Record<string, RuntimeProgram>>;

/** An absolute path. */
export const path: Kind<string> = text('PATH', (value) => {
  if (!value.startsWith('/')) throw new Error('must be an absolute path');
  return value.length > 1 ? value.replace(/\/+$/, '') : value;
});

/** An absolute path, or nothing for none. */
export const optionalPath: Kind<string> = text('PATH', (value) => (value === '' ? value : path.fromText(value)));

/** A time of hours, minutes and seconds such as `4h` or `1h30m`, in milliseconds. */
export const duration: Kind<number> = {
  placeholder: 'DURATION',
  fromText(given) {
    const [whole, hours = 0, minutes = 0, seconds = 0] = /^(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9})s)?$/.exec(given) ?? [];
    if (!whole) throw new Error('must be a time such as 4h, 1h30m or 90s, 0s for none');
    return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  },
  fromToml(value) {
    if (typeof value !== 'string') throw new Error('must be a time in quotes, such as "4h"');
    return this.fromText(value);
  },
  toText(value) {
    const parts = [[Math.floor(value / 3_600_000), 'h'], [Math.floor(value / 60_000) % 60, 'm'], [(value / 1000) % 60, 's']] as const;
    return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`).join('') || '0s';
  },
  toToml(value) {
    return JSON.stringify(this.toText(value));
  },
};

/** A size such as `64GiB`, in bytes. */
export const bytes: Kind<number> = {
  placeholder: 'SIZE',
  fromText(given) {
    const [whole, count, prefix = ''] = /^(\d{1,15})(?:([KMGT])iB|B)?$/.exec(given) ?? [];
    const value = Number(count) * 1024 ** ' KMGT'.indexOf(prefix || ' ');
    if (!whole || !Number.isSafeInteger(value) || value === 0) throw new Error('must be a size such as 512MiB or 64GiB');
    return value;
  },
  fromToml(value) {
    if (typeof value !== 'string') throw new Error('must be a size in quotes, such as "64GiB"');
    return this.fromText(value);
  },
  toText(value) {
    const power = [4, 3, 2, 1].find((each) => value % 1024 ** each === 0) ?? 0;
    return `${value / 1024 ** power}${['', 'Ki', 'Mi', 'Gi', 'Ti'][power]}B`;
  },
  toToml(value) {
    return JSON.stringify(this.toText(value));
  },
};

/** Any text, also none. */
export function word(placeholder: string): Kind<string> {
  return text(placeholder, (value) => value);
}

/** `HOST:PORT`, or nothing for off; IPv6 hosts in brackets. */
export const address: Kind<string> = text('HOST:PORT', (value) => {
  if (value === '') return value;
  const port = /^(?:\[[0-9a-fA-F:.%]+\]|[^:[\]]+):(\d{1,5})$/.exec(value)?.[1];
  if (port === undefined || Number(port) > 65535) throw new Error('must be HOST:PORT, such as 127.0.0.1:9537, or empty for off');
  return value;
});

/** One of a closed list of words. */
export function choice<const T extends string>(...choices: readonly T[]): Kind<T> {
  return text(choices.join('|'), (value) => {
    const found = choices.find((each) => each === value);
    if (found === undefined) throw new Error(`must be one of ${choices.join(', ')}`);
    return found;
  });
}

/** A whole number between two bounds. */
export function integer(placeholder: string, least: number, most: number): Kind<number> {
  const check = (value: number): number => {
    if (!Number.isInteger(value) || value < least || value > most) throw new Error(`must be a whole number from ${least} to ${most}`);
    return value;
  };
  return {
    placeholder,
    fromText: (given) => check(/^-?\d+$/.test(given) ? Number(given) : Number.NaN),
    fromToml: (value) => check(typeof value === 'number' ? value : Number.NaN),
    toText: String,
    toToml: String,
  };
}

/** Yes or no. */
export const truth: Kind<boolean> = {
  placeholder: 'true|false',
  fromText(given) {
    if (given !== 'true' && given !== 'false') throw new Error('must be true or false');
    return given === 'true';
  },
  fromToml(value) {
    if (typeof value !== 'boolean') throw new Error('must be true or false, without quotes');
    return value;
  },
  toText: String,
  toToml: String,
};

/** Absolute paths in order; on a command line with commas between them. */
export const paths: Kind<readonly string[]> = {
  placeholder: 'PATH,…',
  fromText: (given) => given.split(',').filter((each) => each !== '').map(path.fromText),
  fromToml(value) {
    if (!Array.isArray(value)) throw new Error('must be an array of absolute paths');
    return value.map(path.fromToml);
  },
  toText: (value) => value.join(','),
  toToml: (value) => `[${value.map((each) => JSON.stringify(each)).join(', ')}]`,
};

/** Any texts without commas, in order. */
export function words(placeholder: string): Kind<readonly string[]> {
  return {
    placeholder: `${placeholder},…`,
    fromText: (given) => given.split(',').filter((each) => each !== ''),
    fromToml(value) {
      if (!Array.isArray(value) || value.some((each) => typeof each !== 'string')) throw new Error('must be an array of strings');
      return value as string[];
    },
    toText: (value) => value.join(','),
    toToml: (value) => JSON.stringify(value),
  };
}

/** A RuntimeClass' handler is a DNS label (KEP-585). */
const handlerName = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** `NAME=PATH` on a command line, a table `[runtimes.NAME]` with a `path` and more in a file. */
export const runtimePrograms: Kind<RuntimePrograms> = {
  placeholder: 'NAME=PATH',
  fromText(given) {
    const [, name = '', program = ''] = /^([^=]*)=(.*)$/.exec(given) ?? [];
    if (!handlerName.test(name) || !program.startsWith('/')) {
      throw new Error('must be NAME=PATH, NAME of a-z 0-9 - and PATH absolute');
    }
    return { [name]: { path: program, args: [], privilegedWithoutHostDevices: false, sandbox: 'none', platform: '' } };
  },
  fromToml(value) {
    if (!isTable(value)) throw new Error('must be tables [runtimes.NAME] with a path');
    return Object.fromEntries(Object.entries(value).map(([name, program]) => [name, readProgram(name, program)]));
  },
  toText: (value) => Object.entries(value).map(([name, program]) => `${name}=${program.path}`).join(' '),
  toToml: (value) => Object.entries(value).map(tableOfProgram).join('\n'),
  merge: (earlier, later) => ({ ...earlier, ...later }),
};

const withoutDevices = 'privileged-without-host-devices';

function readProgram(name: string, program: unknown): RuntimeProgram {
  if (!handlerName.test(name)) throw new Error(`cannot have the name ${name}: a handler's name is made of a-z 0-9 -`);
  const { path: file, args = [], [withoutDevices]: without = false, sandbox = 'none', platform = '', ...rest } = isTable(program) ? program : {};
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw new Error(`has no key ${unknown} in [runtimes.${name}]; there are path, args, sandbox, platform and ${withoutDevices}`);
  if (typeof file !== 'string' || !file.startsWith('/')) throw new Error(`needs an absolute path in [runtimes.${name}]`);
  if (!Array.isArray(args) || !args.every((each) => typeof each === 'string')) {
    throw new Error(`needs args as an array of strings in [runtimes.${name}]`);
  }
  if (typeof without !== 'boolean') throw new Error(`needs ${withoutDevices} in [runtimes.${name}] as true or false`);
  if (sandbox !== 'none' && sandbox !== 'process') throw new Error(`needs sandbox in [runtimes.${name}] as "none" or "process"`);
  if (typeof platform !== 'string' || !/^([a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?)?$/.test(platform)) throw new Error(`needs platform in [runtimes.${name}] as OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT`);
  return { path: file, args, privilegedWithoutHostDevices: without, sandbox, platform };
}

function tableOfProgram([name, program]: [string, RuntimeProgram]): string {
  const { path: file, args, privilegedWithoutHostDevices: without, sandbox, platform } = program;
  return `[runtimes.${name}]\npath = ${JSON.stringify(file)}\nargs = ${JSON.stringify(args)}\n${withoutDevices} = ${without}\nsandbox = "${sandbox}"\nplatform = "${platform}"`;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text<T extends string>(placeholder: string, check: (value: string) => T): Kind<T> {
  return {
    placeholder,
    fromText: check,
    fromToml(value) {
      if (typeof value !== 'string') throw new Error('must be a string in quotes');
      return check(value);
    },
    toText: (value) => value,
    toToml: (value) => JSON.stringify(value),
  };
}
