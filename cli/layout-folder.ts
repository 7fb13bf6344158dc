import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RuntimeError } from '../api/errors.ts';
import { readTarHeader, tarBlockBytes, tarEnd, tarHeader, tarPadding } from '../host/tar.ts';

/** Files of an OCI layout (image-layout.md) and of a Docker archive beside it. */
const fileNames = /^(?:oci-layout|index\.json|manifest\.json|blobs\/[a-z0-9]+\/[0-9a-f]{32,128})$/;

/** The OCI layout in a folder as a tar. */
export async function* packLayout(folder: string): AsyncGenerator<Buffer> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => fileNames.test(name)).sort();
  for (const name of names) {
    const path = join(folder, name);
    const { size } = await stat(path);
    yield tarHeader(name, size);
    if (size > 0) for await (const chunk of createReadStream(path, { end: size - 1, highWaterMark: 1 << 20 })) yield chunk as Buffer;
    yield Buffer.alloc(tarPadding(size));
  }
  yield tarEnd;
}

/** Unpacks the tar of an OCI layout into a new folder. Throws `corrupt` for a tar of anything else. */
export async function unpackLayout(folder: string, tar: AsyncIterable<Buffer>): Promise<void> {
  await mkdir(folder);
  const source = sized(tar);
  for (;;) {
    const header = readTarHeader(Buffer.concat(await all(source(tarBlockBytes))));
    if (header === undefined) break;
    if (!fileNames.test(header.name)) throw new RuntimeError('corrupt', `the archive holds ${JSON.stringify(header.name)}, which is no file of an OCI layout`);
    const path = join(folder, header.name);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'wx');
    try {
      for await (const chunk of source(header.sizeBytes)) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
    await all(source(tarPadding(header.sizeBytes)));
  }
  await all(source(Number.POSITIVE_INFINITY));
}

/** The next so many bytes at each call, fewer only at the end of an endless ask. */
function sized(chunks: AsyncIterable<Buffer>): (bytes: number) => AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk = Buffer.alloc(0);
  return async function* (bytes) {
    for (let left = bytes; left > 0; ) {
      if (chunk.length === 0) {
        const next = await iterator.next();
        if (next.done === true && left === Number.POSITIVE_INFINITY) return;
        if (next.done === true) throw new RuntimeError('corrupt', 'the archive ended early');
        chunk = Buffer.from(next.value);
        continue;
      }
      const part = chunk.subarray(0, left);
      chunk = chunk.subarray(part.length);
      left -= part.length;
      yield part;
    }
  };
}

async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return parts;
}
