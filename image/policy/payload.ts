import { RuntimeError } from '../../api/errors.ts';
import { formatReference, isDigest, parseReference, type Reference, repositoryOf } from '../manifest/reference.ts';
import { objectIn, parseObject, textIn } from '../manifest/shape.ts';
import type { SignedIdentity } from './policy.ts';

/** What a signature says (containers' simple signing format, which cosign uses too). */
export type Payload = { type: string; digest: string; reference: string };

const types = ['atomic container signature', 'cosign container image signature'];

/** Reads a payload whose signature is already verified. Throws `corrupt`. */
export function parsePayload(json: string): Payload {
  const critical = objectIn(parseObject(json, 'the signed payload')['critical'], 'critical');
  const type = textIn(critical['type'], 'critical.type');
  const digest = textIn(objectIn(critical['image'], 'critical.image')['docker-manifest-digest'], 'docker-manifest-digest');
  const reference = textIn(objectIn(critical['identity'], 'critical.identity')['docker-reference'], 'docker-reference');
  if (!types.includes(type)) throw new RuntimeError('corrupt', `the payload is of type ${type || 'none'}`);
  if (!isDigest(digest)) throw new RuntimeError('corrupt', `the payload names the digest ${JSON.stringify(digest)}`);
  return { type, digest, reference };
}

/** True when what was signed under the name `signed` may be used as `reference`; what has no name has an exact identity or none. */
export function identityMatches(identity: SignedIdentity, signed: string, reference: Reference | undefined): boolean {
  const same = (name: string): boolean => isSame(signed, name);
  if (identity.type === 'exactReference') return same(identity.dockerReference);
  if (identity.type === 'exactRepository') return repositoryIn(signed) === repositoryIn(identity.dockerRepository);
  if (reference === undefined) return false;
  switch (identity.type) {
    case 'matchRepository': return repositoryIn(signed) === repositoryOf(reference);
    case 'matchExact': return reference.tag !== '' && same(formatReference(reference));
    case 'matchRepoDigestOrExact': return repoDigestOrExact(signed, reference);
    case 'remapIdentity': return repoDigestOrExact(signed, remapped(reference, identity));
    default: return identity satisfies never;
  }
}

function repoDigestOrExact(signed: string, reference: Reference): boolean {
  return reference.tag === '' ? repositoryIn(signed) === repositoryOf(reference) : isSame(signed, formatReference(reference));
}

function isSame(signed: string, name: string): boolean {
  // A name without tag means latest to who pulls it, not to who signs it.
  return hasTagOrDigest(signed) && formatted(signed) !== undefined && formatted(signed) === formatted(name);
}

function hasTagOrDigest(name: string): boolean {
  return /[:@]/.test(name.slice(name.lastIndexOf('/') + 1));
}

function remapped(reference: Reference, { prefix, signedPrefix }: { prefix: string; signedPrefix: string }): Reference {
  const repository = repositoryOf(reference);
  if (repository !== prefix && !repository.startsWith(`${prefix}/`)) return reference;
  const { domain, path } = parseReference(`${signedPrefix}${repository.slice(prefix.length)}`);
  return { ...reference, domain, path };
}

function repositoryIn(name: string): string | undefined {
  try {
    return repositoryOf(parseReference(name));
  } catch {
    return undefined;
  }
}

function formatted(name: string): string | undefined {
  try {
    return formatReference(parseReference(name));
  } catch {
    return undefined;
  }
}
