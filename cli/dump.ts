import type { Verb } from './verb.ts';

/** `berth dump` */
export const dump: Verb = {
  args: { usage: '[ID]', least: 0, most: 1 },
  summary: 'Print the daemon\'s records of pods, containers and images, one JSON object a line; ID may be cut short.',
  options: {},
  async run({ args: [id = ''], daemon, print }) {
    for await (const { kind, json } of daemon.stream('Dump', { id })) await print(`{"kind":"${kind}","record":${json}}\n`);
  },
};
