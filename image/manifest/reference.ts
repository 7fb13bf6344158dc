import { RuntimeError } from '../../api/errors.ts';

/** A normalised image reference (distribution's grammar, docker.io rules applied): where it is and which one. */
export type Reference = {
  /** Registry host, with port where given; `docker.io` for Docker's own. */
  domain: string;
  /** Repository path below the domain, e.g. `library/busybox`. */
  path: string;
  /** Empty when only a digest is given; `latest` when neither is. */
  tag: string;
  /** `sha256:…`, or empty. It outranks the tag. */
  digest: string;
};

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const hostLabel = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const domainPattern = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };
const maxPathLength = 255;

/** Reads a reference as `docker.io/library/NAME:latest` would be meant by NAME; throws `invalid`. */
export function parseReference(text: string): Reference {
  if (/^[a-f0-9]{64}$/.test(text)) throw invalid(text, 'it is an image id, not a name');
  const { name, tag, digest } = split(text);
  const { domain, path } = splitDomain(name);
  if (path !== path.toLowerCase()) throw invalid(text, 'the repository must be lower case');
  if (!domainPattern.test(domain)) throw invalid(text, `${domain} is no host name`);
  if (!pathPattern.test(path)) throw invalid(text, `${path || 'nothing'} is no repository`);
  if (path.length > maxPathLength) throw invalid(text, `the repository has more than ${maxPathLength} characters`);
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `${tag || 'nothing'} is no tag`);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `${digest || 'nothing'} is no digest`);
  return { domain, path, tag: tag ?? (digest === undefined ? 'latest' : ''), digest: digest ?? '' };
}

/** `domain/path`, as in the names that an image is listed under. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The name that the image of this reference gets: by digest when it has one, else by tag. */
export function nameOf(reference: Reference): string {
  const repository = repositoryOf(reference);
  return reference.digest === '' ? `${repository}:${reference.tag}` : `${repository}@${reference.digest}`;
}

/** The reference with domain, path, tag and digest, as it was given once normalised. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === '' ? '' : `:${reference.tag}`;
  const digest = reference.digest === '' ? '' : `@${reference.digest}`;
  return `${repositoryOf(reference)}${tag}${digest}`;
}

/** True when the name states no registry, so that search registries and aliases apply. */
export function isShortName(text: string): boolean {
  return !hasDomain(split(text).name);
}

/** A digest of a known algorithm with all its hex digits in lower case. */
export function isDigest(text: string): boolean {
  const [algorithm = '', hex = ''] = text.split(':', 2);
  return /^[a-f0-9]+$/.test(hex) && hex.length === digestLengths[algorithm] && text === `${algorithm}:${hex}`;
}

/** The digest in `repository@digest`, or in what is a digest itself. */
export function digestIn(name: string): string {
  return name.slice(name.indexOf('@') + 1);
}

function split(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const rest = at === -1 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  if (colon === -1 || rest.includes('/', colon)) return { name: rest, tag: undefined, digest };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

function splitDomain(name: string): { domain: string; path: string } {
  if (!hasDomain(name)) return { domain: 'docker.io', path: official(name) };
  const slash = name.indexOf('/');
  const domain = name.slice(0, slash);
  const path = name.slice(slash + 1);
  if (domain !== 'docker.io' && domain !== 'index.docker.io') return { domain, path };
  return { domain: 'docker.io', path: official(path) };
}

function hasDomain(name: string): boolean {
  const slash = name.indexOf('/');
  if (slash === -1) return false;
  const first = name.slice(0, slash);
  return first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
}

function official(path: string): string {
  return path.includes('/') || path === '' ? path : `library/${path}`;
}

function invalid(text: string, why: string): RuntimeError {
  return new RuntimeError('invalid', `image reference ${JSON.stringify(text)}: ${why}`);
}
