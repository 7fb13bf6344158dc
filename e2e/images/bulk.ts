import { createCipheriv, createHash } from 'node:crypto';
import type { Layer } from './image.ts';
import type { Entry } from './tar.ts';

/** Layers of the size real images have: three of many small files, three of a few big ones, about 100 MiB unpacked. */
export function bulkLayers(): Layer[] {
  return [0, 1, 2, 3, 4, 5].map((layer) => ({ entries: layer % 2 === 0 ? smallFiles(layer) : bigFiles(layer) }));
}

function smallFiles(layer: number): Entry[] {
  return Array.from(
    { length: 1500 },
    (_, i): Entry => ({
      path: `bulk/${layer}/${i % 40}/file-${i}`,
      type: 'file',
      content: content(`${layer}.${i}`, 1024 * (1 + (i % 14))),
    }),
  );
}

function bigFiles(layer: number): Entry[] {
  return [0, 1, 2].map(
    (i): Entry => ({ path: `bulk/${layer}/big-${i}`, type: 'file', content: content(`${layer}.${i}`, 8 << 20) }),
  );
}

/** Bytes that compress about two to one (random hexadecimal digits), the same for the same seed. */
function content(seed: string, sizeBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const random = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes / 2));
  return Buffer.from(random.toString('hex'), 'latin1');
}
