import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../api/observe.ts';
import { makeDurably, removeDurably, writeDurably } from '../../host/durable-file.ts';
import { listIn, objectIn, parseObject, textIn, textsIn } from '../manifest/shape.ts';
import type { Attached } from './cosign.ts';

/** What was found of signatures at a pull. */
export type Signatures = {
  /** Digests that the reference led to: of the list, where it is one, and of the manifest. */
  digests: string[];
  simple: Buffer[];
  attached: Attached[];
};

/** The signatures of images that are here, by the digest that a reference points at; checked again when they are used. */
export type SignatureStore = {
  of(digest: string): Signatures | undefined;
  save(found: Signatures): Promise<void>;
  /** Forgets those of digests that are not wanted any more; for when no pull is going on. */
  keepOnly(wanted: ReadonlySet<string>): Promise<void>;
};

/** Opens the folder that holds one JSON file per digest; one that cannot be read counts as none. */
export async function openSignatures(folder: string, log: Log): Promise<SignatureStore> {
  await makeDurably(folder);
  const known = new Map<string, Signatures>();
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.json'))) {
    try {
      const found = readStored(await readFile(join(folder, name), 'utf8'));
      known.set(found.digests[0] ?? '', found);
    } catch (error) {
      log.warn('signatures cannot be read: where a policy asks for them, pull the image again', { file: name, error: String(error) });
    }
  }
  const pathOf = (digest: string): string => join(folder, `${digest.slice(digest.indexOf(':') + 1)}.json`);
  return {
    of: (digest) => known.get(digest),
    async save(found) {
      const [top = ''] = found.digests;
      if (JSON.stringify(known.get(top)) === JSON.stringify(found)) return;
      await writeDurably(pathOf(top), writeStored(found));
      known.set(top, found);
    },
    async keepOnly(wanted) {
      for (const digest of [...known.keys()].filter((each) => !wanted.has(each))) {
        known.delete(digest);
        await removeDurably(pathOf(digest));
      }
    },
  };
}

function writeStored({ digests, simple, attached }: Signatures): string {
  const text = (bytes: Buffer): string => bytes.toString('base64');
  const file = {
    version: 1,
    digests,
    simple: simple.map(text),
    attached: attached.map(({ payload, signature }) => ({ payload: text(payload), signature: text(signature) })),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function readStored(json: string): Signatures {
  const file = parseObject(json, 'the file');
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  return {
    digests: textsIn(file['digests'], 'digests'),
    simple: textsIn(file['simple'], 'simple').map(bytes),
    attached: listIn(file['attached'], 'attached').map((item) => {
      const { payload, signature } = objectIn(item, 'attached[]');
      return { payload: bytes(textIn(payload, 'payload')), signature: bytes(textIn(signature, 'signature')) };
    }),
  };
}
