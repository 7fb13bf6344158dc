import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cache, prebuilt, repository } from '../harness/paths.ts';
import { startRegistry } from '../harness/registry.ts';
import { catalogue } from './catalogue.ts';
import { binariesStamp } from './debian.ts';
import { assemble, type Assembled } from './image.ts';
import { push, type Pushed } from './push.ts';

/** The digests of one image, by which tests name its parts. */
export type Digests = {
  readonly top: string;
  /** Of the manifests in the list, in its order; empty when there is no list. */
  readonly manifests: readonly string[];
  readonly blobs: readonly string[];
};
export type ImageStore = {
  /** A docker-registry storage directory that holds the whole catalogue; treat as read-only. */
  readonly storage: string;
  /** By `repository:tag`. */
  readonly digests: Readonly<Record<string, Digests>>;
};

/** The storage with all test images, built on the first call and whenever sources or Debian's binaries changed. */
export async function imageStore(): Promise<ImageStore> {
  const images = join(cache, 'images');
  const kept = prebuilt ?? join(images, stamp());
  if (!existsSync(kept)) {
    mkdirSync(images, { recursive: true });
    const fresh = mkdtempSync(join(images, 'new-'));
    await build(fresh);
    try {
      renameSync(fresh, kept);
    } catch (error) {
      rmSync(fresh, { recursive: true });
      if (!existsSync(kept)) throw error;
    }
  }
  const digests = JSON.parse(readFileSync(join(kept, 'digests.json'), 'utf8')) as Record<string, Digests>;
  return { storage: join(kept, 'registry'), digests };
}

function stamp(): string {
  const hash = createHash('sha256').update(binariesStamp());
  const sources = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort();
  for (const name of sources) hash.update(name).update(readFileSync(join(import.meta.dirname, name)));
  hash.update(readFileSync(join(repository, 'e2e/tools/effectiveuid/main.go')));
  return hash.digest('hex').slice(0, 16);
}

async function build(directory: string): Promise<void> {
  const startedMs = performance.now();
  console.log('building the test images ...');
  const registry = await startRegistry({ directory, storage: join(directory, 'registry'), writable: true });
  const digests: Record<string, Digests> = {};
  const pushed: Pushed = new Map();
  try {
    for (const image of catalogue()) {
      const assembled = assemble(image);
      await push(registry.url, image.names, assembled, pushed);
      for (const name of image.names) digests[name] = digestsOf(assembled);
    }
  } finally {
    await registry.stop();
  }
  writeFileSync(join(directory, 'digests.json'), JSON.stringify(digests, null, 1));
  console.log(
    `built ${Object.keys(digests).length} images in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
  );
}

function digestsOf(image: Assembled): Digests {
  return {
    top: image.top.digest,
    manifests: image.manifests.map((manifest) => manifest.digest),
    blobs: image.blobs.map((blob) => blob.digest),
  };
}

if (import.meta.main) {
  const store = await imageStore();
  console.log(store.storage);
}
