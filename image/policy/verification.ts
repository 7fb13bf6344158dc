import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { orIfMissing } from '../../host/files.ts';
import { digestOf } from '../manifest/digest.ts';
import type { Image } from '../records/record.ts';
import { digestIn, formatReference, type Reference } from '../manifest/reference.ts';
import type { Http } from '../registry/http.ts';
import type { Found } from '../pull/resolve.ts';
import { check, wantsSignatures } from './check.ts';
import { type Attached, attachedSignatures } from './cosign.ts';
import { openPgp } from './gpg.ts';
import { lookasideSignatures } from './lookaside.ts';
import { acceptAnything, type ArchiveForm, parsePolicy, type Policy, requirementsFor } from './policy.ts';
import type { Signatures, SignatureStore } from './signatures.ts';
import { askVerifiers } from './verifiers.ts';

/** Which images may be here, as the operator says. */
export type VerificationOptions = {
  /** policy.json (containers-policy.json(5)); where there is none, anything is accepted unless `mustExist`. */
  policy: string;
  mustExist: boolean;
  /** Folder of `NAMESPACE.json`, which hold instead of it for pods of that namespace. */
  namespacePolicies: string;
  /** containers-registries.d(5): where simple signatures are. */
  lookasides: string;
  /** Folder of programs that must agree to each pull. */
  verifiers: string;
  verifierTimeoutMs: number;
};

/** An image of an archive: the names that it gets, the digests of its list and manifest, and what cosign attached. */
export type Loaded = { form: ArchiveForm; names: readonly Reference[]; digests: string[]; attached: Attached[] };

/** The policy of one namespace at one time. */
export type Verification = {
  /** Equal for policies that are the same. */
  key: string;
  /** Throws `signature` unless what was found may be pulled; `manifestDigest` is asked when a list itself is not signed. */
  atPull(found: Found, manifestDigest: () => Promise<string>, signal: AbortSignal): Promise<void>;
  /** Throws `signature` unless what came in an archive may be here; keeps the signatures that came with it. */
  atLoad(loaded: Loaded): Promise<void>;
  /** Throws `signature` unless the image, which is here, may be used under one of these names. */
  atUse(image: Image, names: readonly Reference[]): Promise<void>;
};

/** Reads the policies anew each time. */
export function verifications(
  options: VerificationOptions,
  { engine, http, temporary, signatures }: { engine: Engine; http: Http; temporary: () => string; signatures: SignatureStore },
): (namespace: string) => Promise<Verification> {
  const gpg = openPgp(engine, temporary);
  return async (namespace) => {
    const { policy, key } = await policyFor(namespace, options);
    return {
      key,
      async atPull({ reference, content, top }, manifestDigest, signal) {
        const requirements = requirementsFor(policy, reference);
        if (wantsSignatures(requirements)) {
          const digests = [...new Set([top.digest, await manifestDigest()])];
          const [simple, attached] = await Promise.all([
            Promise.all(digests.map((digest) => lookasideSignatures({ reference, digest }, { http, directory: options.lookasides, signal }))),
            Promise.all(digests.map((digest) => attachedSignatures(content, digest, signal))),
          ]);
          const found = { digests, simple: simple.flat(), attached: attached.flat() };
          await check(requirements, reference, { signatures: found, openPgp: gpg });
          await signatures.save(found);
        } else {
          await check(requirements, reference, { signatures: undefined, openPgp: gpg });
        }
        const descriptor = { mediaType: top.contentType.split(';', 1)[0] ?? '', digest: top.digest, size: Buffer.byteLength(top.json) };
        await askVerifiers({ name: formatReference(reference), descriptor }, { engine, directory: options.verifiers, timeoutMs: options.verifierTimeoutMs });
      },
      async atLoad({ form, names, digests, attached }) {
        const [top = ''] = digests;
        const found = { digests, simple: [], attached };
        for (const reference of names.length === 0 ? [undefined] : names) await check(policy.archives[form], reference, { signatures: found, openPgp: gpg });
        if (attached.length > 0) await signatures.save(together([found, signatures.of(top) ?? found]));
      },
      async atUse(image, names) {
        const failures: unknown[] = [];
        if (names.length === 0 && policy.scopes.size === 0 && policy.fallback.every(({ type }) => type === 'insecureAcceptAnything')) return;
        for (const reference of names) {
          try {
            await check(requirementsFor(policy, reference), reference, { signatures: signaturesOf(image, reference, signatures), openPgp: gpg });
            return;
          } catch (error) {
            failures.push(error);
          }
        }
        throw failures[0] ?? new RuntimeError('signature', `image ${image.id} has no name by which the policy could allow it: pull it again`);
      },
    };
  };
}

/** Those of the digests that this image has under any name. */
function signaturesOf(image: Image, reference: Reference, store: SignatureStore): Signatures | undefined {
  const digests = [reference.digest, ...image.digests.map(digestIn)].filter((each) => each !== '');
  const found = digests.flatMap((digest) => store.of(digest) ?? []);
  return found.length === 0 ? undefined : together(found);
}

/** What all of them hold, the same signature once. */
function together(found: readonly Signatures[]): Signatures {
  const once = <T>(items: readonly T[]): T[] => [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
  return { digests: once(found.flatMap((each) => each.digests)), simple: once(found.flatMap(({ simple }) => simple)), attached: once(found.flatMap(({ attached }) => attached)) };
}

async function policyFor(namespace: string, options: VerificationOptions): Promise<{ policy: Policy; key: string }> {
  const own = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace) ? join(options.namespacePolicies, `${namespace}.json`) : '';
  for (const path of own === '' ? [options.policy] : [own, options.policy]) {
    const text = await orIfMissing(readFile(path, 'utf8'), undefined);
    if (text !== undefined) return { policy: parsePolicy(text, path), key: digestOf(text) };
  }
  if (options.mustExist) throw new RuntimeError('signature', `the policy ${options.policy} does not exist`);
  return { policy: acceptAnything, key: '' };
}
