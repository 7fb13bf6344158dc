import type { ImageEntry } from '../api/control.ts';
import { sizeText } from './size.ts';
import { table } from './table.ts';
import { jsonOption, noArgs, type Verb, type VerbOptions } from './verb.ts';

/** Which images are meant. */
export const filterOption: VerbOptions = {
  filter: {
    type: 'string', short: 'f', placeholder: 'KEY=VALUE', multiple: true,
    help: 'Only images with dangling=true|false, before=IMAGE, since=IMAGE, label=KEY[=VALUE], reference=PATTERN; may be repeated.',
  },
};

/** `berth images` */
export const images: Verb = {
  args: noArgs,
  summary: 'List images, each once for every name; SIZE is on the disk, UNIQUE what no other image shares.',
  options: { ...filterOption, quiet: { type: 'boolean', short: 'q', help: 'Print ids only.' }, ...jsonOption },
  async run({ flag, texts, daemon, print }) {
    const { images: found } = await daemon.call('Images', { filters: [...texts('filter')] });
    if (flag('json')) return print(`${JSON.stringify(found, undefined, 2)}\n`);
    if (flag('quiet')) return print(found.map(({ id }) => `${id}\n`).join(''));
    const rows = found.flatMap(rowsOf).sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
    await print(table([['IMAGE', 'ID', 'BUILT', 'SIZE', 'UNIQUE', ''], ...rows]));
  },
};

function rowsOf(image: ImageEntry): string[][] {
  const sizes = [image.used_bytes, image.unique_bytes].map((bytes) => sizeText(BigInt(bytes)));
  const marks = [image.pinned ? 'pinned' : '', image.used_by.length > 0 ? 'in use' : ''].filter((mark) => mark !== '').join(', ');
  const names = [...image.tags, ...image.digests.filter((name) => !image.tags.some((tag) => repositoryOf(tag) === repositoryOf(name)))];
  const shown = names.length > 0 ? names : ['<none>'];
  return shown.map((name) => [name, shortId(image.id), image.created.slice(0, 10), ...sizes, marks]);
}

function repositoryOf(name: string): string {
  return name.replace(/(?:@.*|:[^:/]*)$/, '');
}

/** As many digits of an id as people compare. */
function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
