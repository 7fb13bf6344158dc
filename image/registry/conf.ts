import { parse } from 'smol-toml';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { isShortName, parseReference } from '../manifest/reference.ts';
import { listIn, objectIn, textIn, textMapIn, textsIn, type Json } from '../manifest/shape.ts';

/** Where a registry's content is served instead. */
export type Mirror = { location: string; insecure: boolean; pullFor: 'all' | 'digest-only' | 'tag-only' };
/** One `[[registry]]` table. */
export type RegistryRule = {
  /** `host`, `host/path` …, or `*.host` for every subdomain, whatever its port. */
  prefix: string;
  /** What takes the prefix's place; empty leaves the name as it is. */
  location: string;
  insecure: boolean;
  blocked: boolean;
  mirrors: Mirror[];
};
/** What a short name may mean when it has no alias and there are several search registries, see `candidates`. */
export type ShortNameMode = 'enforcing' | 'permissive' | 'disabled';
/** containers-registries.conf(5), version 2, with its drop-ins; what no file says is undefined. */
export type RegistriesConf = {
  searchRegistries: string[] | undefined;
  shortNameMode: ShortNameMode | undefined;
  /** Where credentials are looked for, in this order: files (`containers-auth.json`) and programs by their names. */
  credentialHelpers: string[] | undefined;
  /** Full repository by short name; empty where a later file takes an alias back. */
  aliases: Record<string, string>;
  rules: RegistryRule[];
};

/** What holds without any file. */
export const emptyConf: RegistriesConf = {
  searchRegistries: undefined,
  shortNameMode: undefined,
  credentialHelpers: undefined,
  aliases: {},
  rules: [],
};

/** Reads one file; `path` names it in errors, which are `invalid`. */
export function parseRegistriesConf(toml: string, path: string): RegistriesConf {
  try {
    const root = parse(toml) as Json;
    if (root['registries'] !== undefined) {
      throw new RuntimeError(
        'invalid',
        'version 1 of the format ([registries.search]) is not supported: use [[registry]]',
      );
    }
    return {
      searchRegistries: textsIfSaid(root, 'unqualified-search-registries')?.map(trimmed),
      shortNameMode: readMode(textIn(root['short-name-mode'], 'short-name-mode')),
      credentialHelpers: textsIfSaid(root, 'credential-helpers'),
      aliases: readAliases(textMapIn(root['aliases'], 'aliases')),
      rules: listIn(root['registry'], 'registry').map((item) => readRule(objectIn(item, '[[registry]]'))),
    };
  } catch (error) {
    throw new RuntimeError('invalid', whileDoing(`cannot read ${path}`, error).message, error);
  }
}

/** `over` laid over `under`: its rules replace those of the same prefix, its lists the whole lists. */
export function mergeConf(under: RegistriesConf, over: RegistriesConf): RegistriesConf {
  const replaced = new Set(over.rules.map((rule) => rule.prefix));
  return {
    searchRegistries: over.searchRegistries ?? under.searchRegistries,
    shortNameMode: over.shortNameMode ?? under.shortNameMode,
    credentialHelpers: over.credentialHelpers ?? under.credentialHelpers,
    aliases: { ...under.aliases, ...over.aliases },
    rules: [...under.rules.filter((rule) => !replaced.has(rule.prefix)), ...over.rules],
  };
}

function textsIfSaid(root: Json, name: string): string[] | undefined {
  return root[name] === undefined ? undefined : textsIn(root[name], name);
}

function readMode(mode: string): ShortNameMode | undefined {
  if (mode === '') return undefined;
  if (mode === 'enforcing' || mode === 'permissive' || mode === 'disabled') return mode;
  throw new RuntimeError('invalid', `short-name-mode is ${mode}: use enforcing, permissive or disabled`);
}

function readAliases(aliases: Record<string, string>): Record<string, string> {
  for (const [name, meant] of Object.entries(aliases)) {
    if (!isShortName(name) || /[:@]/.test(name)) throw new RuntimeError('invalid', `the alias ${name} is no short name`);
    if (meant === '') continue;
    parseReference(meant);
    if (isShortName(meant) || /[:@][^/]*$/.test(meant)) {
      throw new RuntimeError('invalid', `the alias ${name} means ${meant}: write a registry and a repository, without tag`);
    }
  }
  return aliases;
}

function readRule(item: Json): RegistryRule {
  const location = trimmed(textIn(item['location'], 'location'));
  const prefix = trimmed(textIn(item['prefix'], 'prefix')) || location;
  if (prefix === '') throw new RuntimeError('invalid', 'a [[registry]] has neither prefix nor location');
  if (prefix.includes('*') && !/^\*(?:\.[A-Za-z0-9-]+)+$/.test(prefix)) {
    throw new RuntimeError('invalid', `prefix ${prefix}: a wildcard stands for subdomains alone, as in *.example.com`);
  }
  const digestOnly = flag(item, 'mirror-by-digest-only');
  return {
    prefix,
    location,
    insecure: flag(item, 'insecure'),
    blocked: flag(item, 'blocked'),
    mirrors: listIn(item['mirror'], 'mirror').map((entry) =>
      readMirror(objectIn(entry, '[[registry.mirror]]'), digestOnly),
    ),
  };
}

function readMirror(item: Json, digestOnly: boolean): Mirror {
  const location = trimmed(textIn(item['location'], 'mirror location'));
  if (location === '') throw new RuntimeError('invalid', 'a [[registry.mirror]] has no location');
  const said = textIn(item['pull-from-mirror'], 'pull-from-mirror');
  if (said !== '' && digestOnly) {
    throw new RuntimeError('invalid', `mirror ${location} has pull-from-mirror, its registry mirror-by-digest-only: use one of them`);
  }
  const pullFor = said || (digestOnly ? 'digest-only' : 'all');
  if (pullFor !== 'all' && pullFor !== 'digest-only' && pullFor !== 'tag-only') {
    throw new RuntimeError(
      'invalid',
      `pull-from-mirror of ${location} is ${pullFor}: use all, digest-only or tag-only`,
    );
  }
  return { location, insecure: flag(item, 'insecure'), pullFor };
}

function flag(item: Json, name: string): boolean {
  const value = item[name];
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw new RuntimeError('invalid', `${name} is neither true nor false`);
}

function trimmed(location: string): string {
  if (/^[a-z]+:\/\//.test(location)) throw new RuntimeError('invalid', `${location}: write it without the scheme`);
  return location.replace(/\/+$/, '');
}
