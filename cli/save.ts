import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RuntimeError } from '../api/errors.ts';
import { unpackLayout } from './layout-folder.ts';
import type { Ask, Verb } from './verb.ts';

/** `berth save` */
export const save: Verb = {
  args: { usage: 'IMAGE…', least: 1, most: Number.POSITIVE_INFINITY },
  summary: 'Write images to an archive that is OCI layout and Docker archive at once; of one named by id, all its tags.',
  options: {
    output: { type: 'string', short: 'o', placeholder: 'FILE', help: 'File to write, whole or not at all [standard output].' },
    folder: { type: 'string', placeholder: 'FOLDER', help: 'New folder to write an OCI layout to, instead.' },
  },
  async run({ args, text, daemon, print }) {
    const [output, folder] = [text('output'), text('folder')];
    if (output !== undefined && folder !== undefined) throw new RuntimeError('invalid', '--output and --folder: give one of them');
    if (output === undefined && folder === undefined && process.stdout.isTTY) {
      throw new RuntimeError('invalid', 'an archive is nothing for a terminal: name a file by --output FILE');
    }
    const archive = dataOf(daemon.stream('Save', { images: [...args] }));
    if (output !== undefined) return wholeOrNot(output, (path) => pipeline(Readable.from(archive), createWriteStream(path)));
    if (folder !== undefined) return wholeOrNot(folder, (path) => unpackLayout(path, archive));
    await printAll(archive, print);
  },
};

async function* dataOf(replies: AsyncIterable<{ data: Buffer }>): AsyncGenerator<Buffer> {
  for await (const { data } of replies) yield data;
}

async function printAll(archive: AsyncIterable<Buffer>, print: Ask['print']): Promise<void> {
  for await (const data of archive) await print(data);
}

/** Writes beside `path` and moves what is whole there. */
async function wholeOrNot(path: string, write: (beside: string) => Promise<void>): Promise<void> {
  const beside = `${path.replace(/\/+$/, '')}.unfinished`;
  await rm(beside, { recursive: true, force: true });
  try {
    await write(beside);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
}
