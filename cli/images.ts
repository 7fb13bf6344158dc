import type { Image } from '../api/cri.ts';
import { sizeText } from './size.ts';
import { table } from './table.ts';
import { jsonOption, noArgs, type Verb } from './verb.ts';

/** `berth images` */
export const images: Verb = {
  args: noArgs,
  summary: 'List images, each once for every name that it has.',
  options: jsonOption,
  async run({ flag, daemon, print }) {
    const { images: found } = await daemon.call('ListImages', {});
    if (flag('json')) return print(`${JSON.stringify(found, undefined, 2)}\n`);
    await print(table([['IMAGE', 'ID', 'SIZE'], ...found.flatMap(rowsOf)]));
  },
};

function rowsOf(image: Image): string[][] {
  const names = image.repo_tags.length > 0 ? image.repo_tags : image.repo_digests;
  const shown = names.length > 0 ? names : ['<none>'];
  return shown.map((name) => [name, shortId(image.id), sizeText(BigInt(image.size))]);
}

/** As many digits of an id as people compare. */
function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
