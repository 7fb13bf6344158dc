import { readFile } from 'node:fs/promises';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import { formatReference, type Reference } from '../manifest/reference.ts';
import { isSignedBy, publicKeys } from './cosign.ts';
import type { OpenPgp } from './gpg.ts';
import { identityMatches, parsePayload } from './payload.ts';
import type { Requirement } from './policy.ts';
import type { Signatures } from './signatures.ts';

type Signed = Extract<Requirement, { type: 'signedBy' | 'sigstoreSigned' }>;

/** True when the requirements can only be met by signatures, which must then be fetched. */
export function wantsSignatures(requirements: readonly Requirement[]): boolean {
  return requirements.some(({ type }) => type === 'signedBy' || type === 'sigstoreSigned');
}

/** Checks that all of the requirements are met; throws `signature` saying which is not and why. An image may have no name. */
export async function check(
  requirements: readonly Requirement[],
  reference: Reference | undefined,
  { signatures, openPgp }: { signatures: Signatures | undefined; openPgp: OpenPgp },
): Promise<void> {
  for (const requirement of requirements) {
    if (requirement.type === 'insecureAcceptAnything') continue;
    const why = requirement.type === 'reject' ? 'the policy rejects it' : await lack(requirement, reference, signatures, openPgp);
    if (why !== undefined) throw new RuntimeError('signature', `image ${reference === undefined ? (signatures?.digests[0] ?? '') : formatReference(reference)}: ${why}`);
  }
}

/** Why none of the signatures meets the requirement; undefined when one does. */
async function lack(requirement: Signed, reference: Reference | undefined, signatures: Signatures | undefined, openPgp: OpenPgp): Promise<string | undefined> {
  const keys = await keysOf(requirement);
  const reasons: string[] = [];
  for await (const payload of payloads(requirement, signatures, keys, openPgp)) {
    const why = payload === undefined ? 'is by none of the keys' : mismatch(payload, requirement, reference, signatures?.digests ?? []);
    if (why === undefined) return undefined;
    reasons.push(why);
  }
  const kind = requirement.type === 'signedBy' ? 'simple signature' : 'sigstore signature';
  return reasons.length === 0 ? `the policy wants a ${kind}, and there is none` : `the policy wants a ${kind}: one ${[...new Set(reasons)].join(', one ')}`;
}

/** What each signature says; undefined for one by other keys. */
async function* payloads(requirement: Signed, signatures: Signatures | undefined, keys: readonly Buffer[], openPgp: OpenPgp): AsyncGenerator<string | undefined> {
  if (requirement.type === 'signedBy') {
    for (const signature of signatures?.simple ?? []) yield await openPgp(signature, keys);
    return;
  }
  const known = keys.flatMap(publicKeys);
  for (const attached of signatures?.attached ?? []) yield isSignedBy(attached, known) ? attached.payload.toString('utf8') : undefined;
}

function mismatch(json: string, { identity }: Signed, reference: Reference | undefined, digests: readonly string[]): string | undefined {
  try {
    const payload = parsePayload(json);
    if (!digests.includes(payload.digest)) return `is of ${payload.digest}`;
    return identityMatches(identity, payload.reference, reference) ? undefined : `is for the name ${JSON.stringify(payload.reference)}`;
  } catch (error) {
    return `has a malformed payload (${asRuntimeError(error).message})`;
  }
}

async function keysOf({ keyPaths, keyDatas }: Signed): Promise<Buffer[]> {
  try {
    return [...keyDatas, ...(await Promise.all(keyPaths.map((path) => readFile(path))))];
  } catch (error) {
    throw new RuntimeError('signature', `a key of the policy cannot be read: ${asRuntimeError(error).message}`, error);
  }
}
