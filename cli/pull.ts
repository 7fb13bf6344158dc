import type { Verb } from './verb.ts';

/** `berth pull` */
export const pull: Verb = {
  args: { usage: 'REF', least: 1, most: 1 },
  summary: 'Fetch an image by tag or digest and print its id.',
  options: {},
  async run({ args: [image = ''], daemon, print }) {
    const { image_ref } = await daemon.call('PullImage', { image: { image } });
    await print(`${image_ref}\n`);
  },
};
