import { sizeText } from './size.ts';
import { table } from './table.ts';
import { jsonOption, type Verb } from './verb.ts';

/** `berth images history` */
export const imagesHistory: Verb = {
  args: { usage: 'IMAGE', least: 1, most: 1 },
  summary: 'Show how an image was made, the last step first; SIZE is that of the step\'s layer on the disk.',
  options: { ...jsonOption, 'no-trunc': { type: 'boolean', help: 'Show commands in full.' } },
  async run({ args: [image = ''], flag, daemon, print }) {
    const { steps } = await daemon.call('History', { image });
    if (flag('json')) return print(`${JSON.stringify(steps, undefined, 2)}\n`);
    const most = flag('no-trunc') ? Number.POSITIVE_INFINITY : 80;
    const rows = steps.toReversed().map(({ created, created_by, comment, layer, used_bytes }) => {
      const size = layer === '' ? '-' : sizeText(BigInt(used_bytes));
      return [created.slice(0, 19).replace('T', ' '), size, cut(oneLine(created_by || comment), most)];
    });
    await print(table([['CREATED', 'SIZE', 'CREATED BY'], ...rows]));
  },
};

/** Images come from strangers: nothing of their text may steer the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{C}|\s+/gu, ' ').trim();
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
