import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { type Reference, repositoryOf } from '../manifest/reference.ts';
import { type Json, listIn, objectIn, parseObject, textIn, textsIn } from '../manifest/shape.ts';

/** Which name a signature must be of, for the image to be what was signed (containers-policy.json(5), `signedIdentity`). */
export type SignedIdentity =
  | { type: 'matchRepoDigestOrExact' | 'matchExact' | 'matchRepository' }
  | { type: 'exactReference'; dockerReference: string }
  | { type: 'exactRepository'; dockerRepository: string }
  | { type: 'remapIdentity'; prefix: string; signedPrefix: string };

/** What an image must fulfil. Keys are files, read at each check, or their content. */
export type Requirement =
  | { type: 'insecureAcceptAnything' }
  | { type: 'reject' }
  | { type: 'signedBy' | 'sigstoreSigned'; keyPaths: string[]; keyDatas: Buffer[]; identity: SignedIdentity };

/** What an archive is: the names of its transport in a policy begin so. */
export type ArchiveForm = 'oci' | 'docker';

/** A policy.json: requirements by scope of the `docker` transport, those of archives, and those of all else. */
export type Policy = {
  scopes: ReadonlyMap<string, readonly Requirement[]>;
  archives: Readonly<Record<ArchiveForm, readonly Requirement[]>>;
  fallback: readonly Requirement[];
};

const anything: readonly Requirement[] = [{ type: 'insecureAcceptAnything' }];
/** What holds where no policy is written. */
export const acceptAnything: Policy = { scopes: new Map(), archives: { oci: anything, docker: anything }, fallback: anything };

/** Reads a policy.json; `path` names it in errors. What is not known is an error: a policy may not be taken for a milder one. */
export function parsePolicy(json: string, path: string): Policy {
  try {
    const root = known(parseObject(json, 'the policy'), ['default', 'transports']);
    const transports = objectIn(root['transports'] ?? {}, 'transports');
    const fallback = requirements(root['default'], 'default');
    const ofArchive = (transport: string): Requirement[] => ofAllScopes(scopesIn(transports, transport), fallback);
    const archives = { oci: ofArchive('oci-archive'), docker: ofArchive('docker-archive') };
    return { scopes: scopesIn(transports, 'docker'), archives, fallback };
  } catch (error) {
    throw new RuntimeError('signature', whileDoing(`cannot read the policy ${path}`, error).message, error);
  }
}

function scopesIn(transports: Json, transport: string): Map<string, Requirement[]> {
  const scopes = Object.entries(objectIn(transports[transport] ?? {}, `transports.${transport}`));
  return new Map(scopes.map(([scope, value]) => [scope, requirements(value, scope)] as const));
}

/** The path that an archive comes from is not known here: what holds for any path must be met. */
function ofAllScopes(scopes: ReadonlyMap<string, Requirement[]>, fallback: Requirement[]): Requirement[] {
  return [...scopes.values(), ...(scopes.has('') ? [] : [fallback])].flat();
}

/** The requirements of the closest scope: the reference itself, its repository, what holds it, `*.` of its host, the default. */
export function requirementsFor({ scopes, fallback }: Policy, reference: Reference): readonly Requirement[] {
  for (const scope of scopesOf(reference)) {
    const found = scopes.get(scope);
    if (found !== undefined) return found;
  }
  return fallback;
}

function scopesOf(reference: Reference): string[] {
  const repository = repositoryOf(reference);
  const exact = reference.digest === '' ? `${repository}:${reference.tag}` : `${repository}@${reference.digest}`;
  const parts = repository.split('/');
  const above = parts.map((_, i) => parts.slice(0, parts.length - i).join('/'));
  const labels = reference.domain.replace(/:\d+$/, '').split('.');
  const wildcards = labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join('.')}`);
  return [exact, ...above, ...wildcards, ''];
}

function requirements(value: unknown, scope: string): Requirement[] {
  const list = listIn(value, scope).map((item) => requirement(objectIn(item, scope)));
  if (list.length === 0) throw new RuntimeError('invalid', `${scope || 'the default scope'} has no requirement`);
  return list;
}

function requirement(item: Json): Requirement {
  const type = textIn(item['type'], 'type');
  if (type === 'insecureAcceptAnything' || type === 'reject') return known(item, ['type']) && { type };
  if (type !== 'signedBy' && type !== 'sigstoreSigned') throw new RuntimeError('unsupported', `requirements of type ${type || 'none'} are not known`);
  known(item, ['type', 'keyType', 'keyPath', 'keyPaths', 'keyData', 'keyDatas', 'signedIdentity']);
  const keyType = textIn(item['keyType'], 'keyType');
  if (type === 'signedBy' && keyType !== 'GPGKeys') throw new RuntimeError('unsupported', `keys of type ${keyType || 'none'} are not known, only GPGKeys`);
  const keyPaths = [...textsIn(item['keyPaths'], 'keyPaths'), ...present(item, 'keyPath')];
  const keyDatas = [...textsIn(item['keyDatas'], 'keyDatas'), ...present(item, 'keyData')].map((data) => Buffer.from(data, 'base64'));
  if (keyPaths.length + keyDatas.length === 0) throw new RuntimeError('invalid', `${type} names no key`);
  return { type, keyPaths, keyDatas, identity: signedIdentity(item['signedIdentity']) };
}

function present(item: Json, key: string): string[] {
  return item[key] === undefined ? [] : [textIn(item[key], key)];
}

function signedIdentity(value: unknown): SignedIdentity {
  if (value === undefined) return { type: 'matchRepoDigestOrExact' };
  const item = objectIn(value, 'signedIdentity');
  const type = textIn(item['type'], 'signedIdentity.type');
  const needed = (key: string): string => textIn(item[key], key) || fail(`signedIdentity ${type} needs ${key}`);
  switch (type) {
    case 'matchRepoDigestOrExact': case 'matchExact': case 'matchRepository': return { type };
    case 'exactReference': return { type, dockerReference: needed('dockerReference') };
    case 'exactRepository': return { type, dockerRepository: needed('dockerRepository') };
    case 'remapIdentity': return { type, prefix: needed('prefix'), signedPrefix: needed('signedPrefix') };
    default: return fail(`signedIdentity of type ${type || 'none'} is not known`);
  }
}

function known(item: Json, keys: readonly string[]): Json {
  const other = Object.keys(item).find((key) => !keys.includes(key));
  return other === undefined ? item : fail(`${other} is not known here`);
}

function fail(why: string): never {
  throw new RuntimeError('unsupported', why);
}
