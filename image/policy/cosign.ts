import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { isKind, RuntimeError } from '../../api/errors.ts';
import { isDigest } from '../manifest/reference.ts';
import type { Content } from '../pull/content.ts';
import { listIn, objectIn, parseObject, textIn } from '../manifest/shape.ts';

/** A signature that cosign has attached: the payload and its signature. */
export type Attached = { payload: Buffer; signature: Buffer };

const signatureKey = 'dev.cosignproject.cosign/signature';
const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const maxPayloadBytes = 64 << 10;
const maxSignatures = 32;

/** The signatures attached to `digest` in the image's repository, under the tag `ALGORITHM-HEX.sig`; none when there is no such tag. */
export async function attachedSignatures(content: Pick<Content, 'manifest' | 'blob'>, digest: string, signal: AbortSignal): Promise<Attached[]> {
  const tag = `${digest.replace(':', '-')}.sig`;
  const served = await content.manifest(tag, signal).catch((error: unknown) => {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  });
  return served === undefined ? [] : signaturesOf(served.json, content, signal);
}

/** The signatures that are the layers of a manifest. */
export async function signaturesOf(manifest: string, content: Pick<Content, 'blob'>, signal: AbortSignal): Promise<Attached[]> {
  const layers = listIn(parseObject(manifest, 'the signatures')['layers'], 'layers').slice(0, maxSignatures);
  const found: Attached[] = [];
  for (const item of layers) {
    const layer = objectIn(item, 'layers[]');
    const signature = textIn(objectIn(layer['annotations'] ?? {}, 'annotations')[signatureKey], signatureKey);
    const [blob, sizeBytes] = [textIn(layer['digest'], 'digest'), layer['size']];
    if (layer['mediaType'] !== payloadType || signature === '' || !isDigest(blob) || typeof sizeBytes !== 'number') continue;
    const payload = await content.blob({ mediaType: payloadType, digest: blob, sizeBytes }, maxPayloadBytes, signal);
    found.push({ payload: Buffer.from(payload), signature: Buffer.from(signature, 'base64') });
  }
  return found;
}

/** The keys of a PEM text. Throws `signature` for what is no public key. */
export function publicKeys(pem: Buffer): KeyObject[] {
  const blocks = pem.toString('latin1').match(/-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0) throw new RuntimeError('signature', 'a key of the policy is no PEM public key');
  return blocks.map((block) => {
    try {
      return createPublicKey(block);
    } catch (error) {
      throw new RuntimeError('signature', 'a key of the policy cannot be read', error);
    }
  });
}

/** True when one of the keys made the signature: ECDSA or RSA over SHA-256, or Ed25519. */
export function isSignedBy({ payload, signature }: Attached, keys: readonly KeyObject[]): boolean {
  return keys.some((key) => {
    try {
      return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, signature);
    } catch {
      return false;
    }
  });
}
