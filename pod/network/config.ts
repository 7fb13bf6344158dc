import { RuntimeError } from '../../api/errors.ts';

/** One plugin's entry of a network configuration list, all its keys kept (CNI specification 1.1, section 1). */
export type PluginConfig = { type: string; capabilities?: Record<string, boolean> } & Record<string, unknown>;

/** A network as the operator wrote it. */
export type NetworkConfig = {
  /** Name of the file it came from. */
  file: string;
  name: string;
  /** Versions of the specification that the configuration speaks, the preferred one first. */
  cniVersions: [string, ...string[]];
  disableCheck: boolean;
  disableGC: boolean;
  plugins: [PluginConfig, ...PluginConfig[]];
};

/** The files of a directory that may hold a network, in the order in which they are tried. */
export function configFiles(names: string[]): string[] {
  return names.filter((name) => /\.(conflist|conf|json)$/.test(name)).toSorted();
}

/** The first file that holds a valid network, and what is wrong with those before it. */
export function chooseConfig(files: { name: string; text: string }[]): {
  config: NetworkConfig | null;
  problems: string[];
} {
  const problems: string[] = [];
  for (const file of files) {
    try {
      return { config: parseConfig(file.name, file.text), problems };
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { config: null, problems };
}

/**
 * Reads a network configuration list, or a single plugin's configuration (`.conf`, `.json`) as a list of one.
 * Throws `invalid` with the file's name.
 */
export function parseConfig(file: string, text: string): NetworkConfig {
  const refuse = (why: string): never => {
    throw new RuntimeError('invalid', `CNI configuration ${file}: ${why}`);
  };
  const list = parseObject(text) ?? refuse('is no JSON object');
  const plugins = 'plugins' in list ? list['plugins'] : [list];
  if (!Array.isArray(plugins)) return refuse('plugins is no list');
  const [first, ...rest] = plugins.map(
    (entry: unknown, at) => pluginConfig(entry) ?? refuse(`plugin ${at} has no valid type`),
  );
  if (first === undefined) return refuse('plugins is empty');
  const name = list['name'];
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    return refuse('name is missing, or has characters other than letters, digits, _ . -');
  }
  return {
    file,
    name,
    cniVersions: versions(list),
    disableCheck: isTrue(list['disableCheck']),
    disableGC: isTrue(list['disableGC']),
    plugins: [first, ...rest],
  };
}

/** True when version `a` of the specification is at least `b`. */
export function isAtLeast(a: string, b: string): boolean {
  return compareVersions(a, b) >= 0;
}

/** Orders two versions of the specification by number. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  const at = [0, 1, 2].find((index) => (left[index] ?? 0) !== (right[index] ?? 0));
  return at === undefined ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

const NEWEST = '1.1.0';

function versions(list: Record<string, unknown>): [string, ...string[]] {
  const named = [list['cniVersion'], ...(Array.isArray(list['cniVersions']) ? list['cniVersions'] : [])];
  const known = named.filter(
    (version): version is string => typeof version === 'string' && /^\d+\.\d+\.\d+$/.test(version),
  );
  const usable = [...new Set(known)].filter((version) => !isAtLeast(version, '1.2.0'));
  const [first, ...rest] = usable.toSorted((a, b) => compareVersions(b, a));
  if (first !== undefined) return [first, ...rest];
  return known.length > 0 ? [NEWEST] : ['0.1.0'];
}

function pluginConfig(entry: unknown): PluginConfig | null {
  if (!isObject(entry)) return null;
  const type = entry['type'];
  return typeof type === 'string' && /^[^/\0]+$/.test(type) && type !== '.' && type !== '..'
    ? { ...entry, type }
    : null;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTrue = (value: unknown): boolean => value === true || value === 'true';
