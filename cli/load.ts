import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { RuntimeError } from '../api/errors.ts';
import { packLayout } from './layout-folder.ts';
import { noArgs, type Verb } from './verb.ts';

/** `berth load` */
export const load: Verb = {
  args: noArgs,
  summary: 'Take the images of an archive in: OCI layout (a tar of it, or a folder) or Docker archive.',
  options: {
    input: { type: 'string', short: 'i', placeholder: 'PATH', help: 'File or folder to read [standard input].' },
    name: { type: 'string', placeholder: 'REF', help: 'Name of the archive\'s one image, instead of what the archive calls it.' },
  },
  async run({ text, daemon, print }) {
    const source = sourceOf(text('input'));
    try {
      const { images } = await daemon.send('Load', requests(source, text('name') ?? ''));
      await print(images.map(({ id, tags }) => `${[id, ...tags].join(' ')}\n`).join(''));
    } finally {
      // One that still waits for its writer would keep this process from its end.
      if (source instanceof Readable) source.destroy();
    }
  },
};

async function* requests(archive: AsyncIterable<Buffer>, name: string): AsyncGenerator<{ data?: Buffer; name?: string }> {
  yield { name };
  for await (const data of archive) yield { data };
}

function sourceOf(path: string | undefined): AsyncIterable<Buffer> {
  if (path === undefined) {
    if (process.stdin.isTTY) throw new RuntimeError('invalid', 'an archive is read from standard input: name a file by --input PATH');
    return process.stdin;
  }
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new RuntimeError('not-found', `there is no file or folder ${path}`);
  return found.isDirectory() ? packLayout(path) : createReadStream(path, { highWaterMark: 1 << 20 });
}
