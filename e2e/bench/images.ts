import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, repository } from '../harness/paths.ts';
import { startRegistry } from '../harness/registry.ts';
import { architecture, assemble, type Image, type Layer } from '../images/image.ts';
import { push } from '../images/push.ts';
import type { Entry } from '../images/tar.ts';
import { content, noise } from './content.ts';

/** A layer's blob as it is fetched without a runtime. */
export type Blob = { readonly path: string; readonly sizeBytes: number; readonly compression: 'gzip' | 'zstd' };
/** An image that is pulled to measure. */
export type Subject = {
  readonly name: SubjectName;
  readonly meaning: string;
  /** `repository:tag` at the registry. */
  readonly image: string;
  readonly blobs: readonly Blob[];
  readonly unpackedBytes: number;
};
export type SubjectName = keyof typeof recipes;

const KiB = 1 << 10;
const MiB = 1 << 20;
/** Sizes of files in the layers of common images: most are small, most bytes lie in large ones. */
const fileBytes = [4 * KiB, 8 * KiB, 4 * MiB, 16 * KiB, 64 * KiB, 1 * MiB, 32 * KiB, 256 * KiB];

const recipes = {
  six: {
    meaning: 'six layers, 250 MiB of gzip',
    layers: (): Layer[] => [190, 160, 130, 90, 60, 40].map((mib, i) => ({ entries: mixed(`six.${i}`, mib * MiB, 0) })),
  },
  small: {
    meaning: 'four layers of 5,000 small files',
    layers: (): Layer[] => [0, 1, 2, 3].map((i) => ({ entries: small(`small.${i}`, 5000) })),
  },
  tiny: {
    meaning: 'ten tiny layers',
    layers: (): Layer[] => Array.from({ length: 10 }, (_, i) => ({ entries: small(`tiny.${i}`, 3) })),
  },
  zstd: {
    meaning: 'one layer, 500 MiB of zstd',
    layers: (): Layer[] => [{ entries: mixed('zstd', 1200 * MiB, 4), compression: 'zstd' }],
  },
} as const;

/** The registry's storage with all subjects, built when absent or outdated. */
export async function subjects(): Promise<{ storage: string; subjects: Subject[] }> {
  const kept = join(cache, 'bench-images', stamp());
  if (!existsSync(kept)) await build(kept);
  return {
    storage: join(kept, 'registry'),
    subjects: JSON.parse(readFileSync(join(kept, 'subjects.json'), 'utf8')) as Subject[],
  };
}

function stamp(): string {
  const hash = createHash('sha256');
  for (const name of ['bench/content.ts', 'images/tar.ts']) hash.update(readFileSync(join(repository, 'e2e', name)));
  for (const { layers } of Object.values(recipes)) hash.update(layers.toString());
  for (const making of [mixed, small, file]) hash.update(making.toString());
  return hash.digest('hex').slice(0, 16);
}

async function build(kept: string): Promise<void> {
  console.log('building the images to pull (some minutes, once) ...');
  mkdirSync(join(kept, '..'), { recursive: true });
  const fresh = mkdtempSync(join(kept, '../new-'));
  const registry = await startRegistry({ directory: fresh, storage: join(fresh, 'registry'), writable: true });
  try {
    const built: Subject[] = [];
    for (const name of Object.keys(recipes) as SubjectName[]) built.push(await publish(registry.url, name));
    writeFileSync(join(fresh, 'subjects.json'), JSON.stringify(built, null, 1));
  } catch (error) {
    rmSync(fresh, { recursive: true });
    throw error;
  } finally {
    await registry.stop();
  }
  renameSync(fresh, kept);
}

async function publish(registry: string, name: SubjectName): Promise<Subject> {
  const { meaning, layers } = recipes[name];
  const image = `bench/${name}:1`;
  const described: Image = { names: [image], format: 'oci', layers: layers(), architectures: [architecture], single: true };
  const assembled = assemble(described);
  await push(registry, described.names, assembled, new Map());
  const [, ...layerBlobs] = assembled.blobs;
  const blobs = layerBlobs.map(({ digest, bytes }, i): Blob => {
    const compression = described.layers[i]?.compression === 'zstd' ? 'zstd' : 'gzip';
    return { path: `/v2/bench/${name}/blobs/${digest}`, sizeBytes: bytes.length, compression };
  });
  const files = described.layers.flatMap(({ entries }) => entries);
  const unpackedBytes = files.reduce((sum, entry) => sum + Buffer.byteLength(entry.content ?? ''), 0);
  return { name, meaning, image, blobs, unpackedBytes };
}

/** Files of many sizes, `totalBytes` in all; with `noisy` each so-manieth holds bytes that do not compress. */
function mixed(seed: string, totalBytes: number, noisy: number): Entry[] {
  const entries: Entry[] = [];
  for (let bytes = 0, i = 0; bytes < totalBytes; i++) {
    const size = fileBytes[i % fileBytes.length] ?? 0;
    const isNoise = noisy > 0 && Math.floor(i / fileBytes.length) % noisy === 0;
    entries.push(file(`${seed}/${Math.floor(i / 40)}/file-${i}`, (isNoise ? noise : content)(`${seed}.${i}`, size)));
    bytes += size;
  }
  return entries;
}

function small(seed: string, count: number): Entry[] {
  return Array.from({ length: count }, (_, i) =>
    file(`${seed}/${Math.floor(i / 40)}/file-${i}`, content(`${seed}.${i}`, KiB * (1 + (i % 8)))),
  );
}

function file(path: string, bytes: Buffer): Entry {
  return { path, type: 'file', content: bytes };
}
