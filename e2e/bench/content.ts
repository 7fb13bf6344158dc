import { createCipheriv, createHash } from 'node:crypto';

const words = 2048;
/** Words of 4 to 19 bytes, alike for everybody. */
const vocabulary = makeVocabulary();

/**
 * Bytes that compress by gzip to about 37 %, as the files of real images do: words drawn at random from a vocabulary,
 * some far more often than others. The same bytes for the same seed.
 */
export function content(seed: string, sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  const draws = randomBytes(seed, Math.ceil(sizeBytes / 2));
  let filled = 0;
  for (let draw = 0; filled < sizeBytes; draw += 2) {
    // The product of two numbers below 1 is small more often than large.
    const at = ((draws[draw] ?? 0) * (draws[draw + 1] ?? 0) * words) >> 16;
    const word = vocabulary[at] ?? Buffer.alloc(4);
    filled += word.copy(bytes, filled);
  }
  return bytes;
}

function makeVocabulary(): Buffer[] {
  const random = randomBytes('vocabulary', words * 20);
  return Array.from({ length: words }, (_, i) => {
    const length = 4 + ((random[i * 20] ?? 0) % 16);
    return random.subarray(i * 20 + 1, i * 20 + 1 + length);
  });
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(seed: string, sizeBytes: number): Buffer {
  return randomBytes(seed, sizeBytes);
}

function randomBytes(seed: string, sizeBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}
