import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import { readPax, readTarHeader, tarBlockBytes, tarPadding } from '../../host/tar.ts';

/** Where in the archive's file the data of a plain file lie. */
export type Part = { offset: number; sizeBytes: number };

/** A tar, its files found by name without their data having been read. */
export type TarIndex = {
  path: string;
  /** The file of that name, also by way of links inside the archive; of several with one name it is the last. */
  find(name: string): Part | undefined;
  /** The file's bytes. Throws `corrupt` when there are more than `maxBytes`. */
  read(part: Part, maxBytes: number): Promise<Buffer>;
  close(): Promise<void>;
};

const maxEntries = 100_000;
const maxExtensionBytes = 1 << 20;
const maxLinks = 5;

/** Reads the headers of the tar at `path`. Throws `corrupt` for what is none, or ends early. */
export async function indexTar(path: string): Promise<TarIndex> {
  const file = await open(path);
  const read = async ({ offset, sizeBytes }: Part, maxBytes: number): Promise<Buffer> => {
    if (sizeBytes > maxBytes) throw new RuntimeError('corrupt', `a file of the archive has ${sizeBytes} bytes, at most ${maxBytes} are read`);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
    if (bytesRead < sizeBytes) throw new RuntimeError('corrupt', 'the archive ends in the middle of a file');
    return buffer;
  };
  try {
    const entries = await readEntries((await file.stat()).size, read);
    return { path, find: (name) => follow(entries, name), read, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Entry = Part | { link: string };

async function readEntries(fileBytes: number, read: (part: Part, maxBytes: number) => Promise<Buffer>): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  let extension = new Map<string, string>();
  let at = 0;
  for (let count = 0; at + tarBlockBytes <= fileBytes; count++) {
    if (count > maxEntries) throw new RuntimeError('exhausted', `the archive has more than ${maxEntries} entries, which no image needs`);
    const header = readTarHeader(await read({ offset: at, sizeBytes: tarBlockBytes }, tarBlockBytes));
    if (header === undefined) break;
    const sizeBytes = sizeIn(extension) ?? header.sizeBytes;
    const part = { offset: at + tarBlockBytes, sizeBytes };
    at = part.offset + sizeBytes + tarPadding(sizeBytes);
    if (part.offset + sizeBytes > fileBytes) throw new RuntimeError('corrupt', 'the archive ends in the middle of a file');
    if (header.kind === 'x') extension = new Map([...extension, ...readPax(await read(part, maxExtensionBytes))]);
    else if (header.kind === 'L') extension.set('path', textOf(await read(part, maxExtensionBytes)));
    else if (header.kind === 'K') extension.set('linkpath', textOf(await read(part, maxExtensionBytes)));
    else if (header.kind !== 'g') {
      const name = cleaned(extension.get('path') ?? header.name);
      const link = extension.get('linkpath') ?? header.link;
      if ('0\0'.includes(header.kind)) entries.set(name, part);
      else if (header.kind === '1') entries.set(name, { link: cleaned(link) });
      else if (header.kind === '2') entries.set(name, { link: cleaned(posix.join(posix.dirname(name), link)) });
      extension = new Map();
    }
  }
  if (entries.size === 0) throw new RuntimeError('corrupt', 'the archive holds no file: it is no tar of an image');
  return entries;
}

function sizeIn(extension: ReadonlyMap<string, string>): number | undefined {
  const text = extension.get('size');
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new RuntimeError('corrupt', 'an extended header of the archive is malformed');
  return Number(text);
}

function follow(entries: ReadonlyMap<string, Entry>, name: string): Part | undefined {
  let entry = entries.get(cleaned(name));
  for (let links = 0; entry !== undefined && 'link' in entry; links++) {
    if (links === maxLinks) return undefined;
    entry = entries.get(entry.link);
  }
  return entry;
}

/** Names are only compared, never opened: one that leads outside finds nothing. */
function cleaned(name: string): string {
  return posix.normalize(name).replace(/^\/+|\/+$/g, '');
}

function textOf(data: Buffer): string {
  return data.toString('utf8').replace(/\0[\s\S]*$/, '');
}
