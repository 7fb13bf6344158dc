import { parse } from 'smol-toml';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { listIn, objectIn, textIn, textMapIn, textsIn, type Json } from '../shape.ts';

/** Where a registry's content is served instead. */
export type Mirror = { location: string; insecure: boolean; pullFor: 'all' | 'digest-only' | 'tag-only' };
/** One `[[registry]]` table. */
export type RegistryRule = {
  /** `host`, `host/path` …, or `*.host` for every subdomain. */
  prefix: string;
  /** What takes the prefix's place; empty leaves the name as it is. */
  location: string;
  insecure: boolean;
  blocked: boolean;
  mirrors: Mirror[];
};
/** containers-registries.conf(5), version 2, with its drop-ins. */
export type RegistriesConf = {
  searchRegistries: string[];
  /** Full repository by short name. */
  aliases: Record<string, string>;
  rules: RegistryRule[];
};

/** What holds without any file. */
export const emptyConf: RegistriesConf = { searchRegistries: [], aliases: {}, rules: [] };

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
      searchRegistries: textsIn(root['unqualified-search-registries'], 'unqualified-search-registries'),
      aliases: textMapIn(root['aliases'], 'aliases'),
      rules: listIn(root['registry'], 'registry').map((item) => readRule(objectIn(item, '[[registry]]'))),
    };
  } catch (error) {
    throw new RuntimeError('invalid', whileDoing(`cannot read ${path}`, error).message, error);
  }
}

/** `over` laid over `under`: its rules replace those of the same prefix, its search list the whole list. */
export function mergeConf(under: RegistriesConf, over: RegistriesConf): RegistriesConf {
  const replaced = new Set(over.rules.map((rule) => rule.prefix));
  return {
    searchRegistries: over.searchRegistries.length > 0 ? over.searchRegistries : under.searchRegistries,
    aliases: { ...under.aliases, ...over.aliases },
    rules: [...under.rules.filter((rule) => !replaced.has(rule.prefix)), ...over.rules],
  };
}

function readRule(item: Json): RegistryRule {
  const location = trimmed(textIn(item['location'], 'location'));
  const prefix = trimmed(textIn(item['prefix'], 'prefix')) || location;
  if (prefix === '') throw new RuntimeError('invalid', 'a [[registry]] has neither prefix nor location');
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
  const pullFor = textIn(item['pull-from-mirror'], 'pull-from-mirror') || (digestOnly ? 'digest-only' : 'all');
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
