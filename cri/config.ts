import { RuntimeError } from '../api/errors.ts';
import { nearest } from '../api/nearest.ts';
import { MAX_STATE_PATH_BYTES } from '../pod/paths.ts';
import { readConfigFiles } from './config-file.ts';
import { readValue, type Setting } from './config-setting.ts';
import { flagOf, type Option, type OptionKey, type OptionValue, optionList, options } from './options.ts';

/** Every option's value; decided once at start, then only read. */
export type Config = {
  readonly [K in OptionKey]: OptionValue<K>;
} & {
  /** The options that a file or the command line named, as opposed to those left to their default. */
  readonly given: ReadonlySet<OptionKey>;
};

/** What the command line asks for. */
export type Command = { do: 'run'; config: Config } | { do: 'check'; config: Config; ask: CheckAsk } | { do: 'help' } | { do: 'version' };

/** How `berthd check` looks at what a daemon that does not run has left. */
export type CheckAsk = { full: boolean; repair: boolean; json: boolean };

/** OCI runtimes that are looked for on the PATH without being configured. */
export const KNOWN_RUNTIMES: readonly string[] = ['runc', 'crun', 'youki'];

/**
 * Reads command line and configuration files. Later counts: defaults, file, its drop-ins by name, command line.
 * Throws `invalid` for an unknown option or key (with the nearest valid name), a bad value or an unreadable file.
 */
export function readCommand(argv: readonly string[]): Command {
  if (argv.includes('--help') || argv.includes('-h')) return { do: 'help' };
  if (argv.includes('--version')) return { do: 'version' };
  if (argv[0] === 'check') {
    const flags = ['--full', '--repair', '--json'];
    const [full = false, repair = false, json = false] = flags.map((flag) => argv.includes(flag));
    return { do: 'check', config: readConfig(argv.slice(1).filter((word) => !flags.includes(word))), ask: { full, repair, json } };
  }
  return { do: 'run', config: readConfig(argv) };
}

function readConfig(argv: readonly string[]): Config {
  const fromLine = readCommandLine(argv);
  const named = fromLine.findLast((each) => each.key === 'config')?.value as string | undefined;
  const fromFiles = readConfigFiles(named ?? options.config.fallback(), { mayBeMissing: named === undefined });
  return check(settle([...fromFiles, ...fromLine]));
}

function readCommandLine(argv: readonly string[]): Setting[] {
  const settings: Setting[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [, flag, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    const found = optionList.find((each) => flagOf(each) === flag);
    if (found === undefined) throw unknownOption(argument, flag);
    const value = inline ?? argv[++index];
    if (value === undefined) throw new RuntimeError('invalid', `--${flag} needs a value: --${flag} ${found.kind.placeholder}`);
    settings.push({ key: found.key, value: readValue(`--${flag}`, value, found.kind.fromText) });
  }
  return settings;
}

function unknownOption(argument: string, flag: string | undefined): RuntimeError {
  if (flag === undefined) return new RuntimeError('invalid', `unexpected argument '${argument}': options start with --; see --help`);
  const meant = nearest(flag, [...optionList.map(flagOf), 'help', 'version']);
  return new RuntimeError('invalid', `unknown option --${flag}${meant === undefined ? '' : `: did you mean --${meant}?`} See --help`);
}

/** The value of every option from defaults and `settings`, later ones before earlier ones. */
function settle(settings: readonly Setting[]): Config {
  const values = new Map<OptionKey, unknown>();
  for (const { key, value } of settings) {
    const { kind } = options[key] as unknown as Option<unknown>;
    values.set(key, values.has(key) && kind.merge !== undefined ? kind.merge(values.get(key), value) : value);
  }
  const given: ReadonlySet<OptionKey> = new Set(values.keys());
  const all = optionList.map(({ key, fallback }) => [key, values.has(key) ? values.get(key) : fallback()]);
  return Object.freeze({ ...Object.fromEntries(all), given }) as Config;
}

/** Refuses what is valid by itself and cannot work together, or at all on Linux. */
function check(config: Config): Config {
  if (Buffer.byteLength(config.state) > MAX_STATE_PATH_BYTES) {
    throw new RuntimeError('invalid', `--state ${config.state} is longer than ${MAX_STATE_PATH_BYTES} bytes: no room for sockets below it`);
  }
  if (Buffer.byteLength(config.listen) > 107) {
    throw new RuntimeError('invalid', `--listen ${config.listen} is longer than the 107 bytes of a socket's path`);
  }
  if ((config.streamTlsCert === '') !== (config.streamTlsKey === '')) {
    throw new RuntimeError('invalid', '--stream-tls-cert and --stream-tls-key need each other: give both, or none for plain HTTP');
  }
  if (config.streamTlsClientCa !== '' && config.streamTlsCert === '') {
    throw new RuntimeError('invalid', `--stream-tls-client-ca ${config.streamTlsClientCa} needs --stream-tls-cert and --stream-tls-key`);
  }
  const runtimes = [...new Set([...KNOWN_RUNTIMES, ...Object.keys(config.runtimes)])];
  if (config.defaultRuntime !== '' && !runtimes.includes(config.defaultRuntime)) {
    throw new RuntimeError('invalid', `--default-runtime ${config.defaultRuntime} is not configured; there are ${runtimes.join(', ')}`);
  }
  const ownStore = config.imageStore || config.root;
  if (config.additionalImageStores.includes(ownStore)) {
    throw new RuntimeError('invalid', `--additional-image-stores names ${ownStore}, which is this daemon's own`);
  }
  return config;
}
