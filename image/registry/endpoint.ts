import { RuntimeError } from '../../api/errors.ts';
import { formatReference, isShortName, parseReference, repositoryOf, type Reference } from '../manifest/reference.ts';
import type { RegistriesConf, RegistryRule } from './conf.ts';

/** One place to ask for an image. */
export type Endpoint = {
  /** `host[:port]` as the operator writes it. */
  domain: string;
  /** The same as it is connected to. */
  host: string;
  repository: string;
  /** Base URLs in the order to try; more than one only where plain HTTP is allowed. */
  baseUrls: string[];
  /** Certificates are not verified. */
  insecure: boolean;
};

/**
 * The references that `text` may mean, in the order to try. A short name means its alias, else it is at one of the
 * search registries, on docker.io where no file names any. Of several none is guessed in the mode `enforcing`, as there
 * is nobody to ask: throws `invalid` then, and where the list of search registries is there but empty.
 */
export function candidates(text: string, conf: RegistriesConf): Reference[] {
  const found = meanings(text, conf);
  if (found.length > 1 && conf.shortNameMode === 'enforcing') {
    throw new RuntimeError(
      'invalid',
      `the short name ${text} may be at ${conf.searchRegistries?.join(', ')}: give it an alias in registries.conf, or name the registry (short-name-mode is enforcing)`,
    );
  }
  if (found.length === 0) {
    throw new RuntimeError('invalid', `the short name ${text} has no alias, and registries.conf names no unqualified-search-registries`);
  }
  return found;
}

/** As `candidates`, for an image that is here: there is nothing to guess, what was pulled was meant. */
export function meanings(text: string, conf: RegistriesConf): Reference[] {
  const reference = parseReference(text);
  if (!isShortName(text)) return [reference];
  const [, short = ''] = /^([^:@]*)/.exec(text) ?? [];
  const alias = conf.aliases[short];
  if (alias) return [parseReference(alias + text.slice(short.length))];
  if (conf.searchRegistries === undefined) return [reference];
  return conf.searchRegistries.map((registry) => parseReference(`${registry}/${text}`));
}

/**
 * Where to ask for `reference`: the mirrors of the rule with the longest matching prefix in their order, then the
 * rule's location or, without a rule, the reference's own registry. Throws `denied` when it is blocked.
 */
export function endpoints(reference: Reference, conf: RegistriesConf): Endpoint[] {
  const name = repositoryOf(reference);
  const match = ruleFor(reference, conf.rules);
  if (match === undefined) return [endpoint(name, false)];
  const { rule, matched } = match;
  if (rule.blocked) {
    throw new RuntimeError('denied', `image ${formatReference(reference)}: registries.conf blocks ${rule.prefix}`);
  }
  const rest = name.slice(matched);
  const byDigest = reference.digest !== '';
  const mirrors = rule.mirrors
    .filter((mirror) => mirror.pullFor === 'all' || (mirror.pullFor === 'digest-only') === byDigest)
    .map((mirror) => endpoint(mirror.location + rest, mirror.insecure));
  const own = rule.location === '' ? name : rule.location + rest;
  return [...mirrors, endpoint(own, rule.insecure)];
}

type Match = { rule: RegistryRule; matched: number };

function ruleFor(reference: Reference, rules: readonly RegistryRule[]): Match | undefined {
  let longest: Match | undefined;
  for (const rule of rules) {
    const matched = matchedLength(reference, rule.prefix);
    if (matched === 0) continue;
    if (longest === undefined || rule.prefix.length > longest.rule.prefix.length) longest = { rule, matched };
  }
  return longest;
}

/** How many characters of the repository's name the prefix stands for; 0 for no match. */
function matchedLength(reference: Reference, prefix: string): number {
  const name = repositoryOf(reference);
  if (prefix.startsWith('*.')) {
    const [host = ''] = /^[^:]*/.exec(reference.domain) ?? [];
    const suffix = prefix.slice(1);
    return host.endsWith(suffix) && host.length > suffix.length ? host.length : 0;
  }
  if (name === prefix || name.startsWith(`${prefix}/`)) return prefix.length;
  const tagged = reference.tag === '' ? '' : `${name}:${reference.tag}`;
  const digested = reference.digest === '' ? '' : `${name}@${reference.digest}`;
  return prefix === tagged || prefix === digested ? name.length : 0;
}

function endpoint(location: string, insecure: boolean): Endpoint {
  const slash = location.indexOf('/');
  const domain = slash === -1 ? location : location.slice(0, slash);
  const repository = slash === -1 ? '' : location.slice(slash + 1);
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
  const local = isLoopback(host);
  const schemes = local ? ['http', 'https'] : insecure ? ['https', 'http'] : ['https'];
  return { domain, host, repository, insecure: insecure || local, baseUrls: schemes.map((scheme) => `${scheme}://${host}`) };
}

/** True for `localhost` and the addresses of the loopback interface, with or without port. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?$/.test(host);
}
