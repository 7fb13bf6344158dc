import { durationMs } from './duration.ts';
import { filterOption } from './images.ts';
import { sizeText } from './size.ts';
import { noArgs, type Verb } from './verb.ts';

/** `berth images prune` */
export const imagesPrune: Verb = {
  args: noArgs,
  summary: 'Remove the images that no container uses, that are not pinned and that no pull asked for lately.',
  options: {
    ...filterOption,
    idle: { type: 'string', placeholder: 'TIME', help: 'Keep images that a pull asked for in this time, such as 90s, 10m or 7d [10m].' },
    'dry-run': { type: 'boolean', help: 'Remove nothing, print what would go.' },
  },
  async run({ flag, text, texts, daemon, print }) {
    const idle_ms = String(durationMs(text('idle') ?? '10m', '--idle'));
    const { images, freed_bytes } = await daemon.call('Prune', { filters: [...texts('filter')], idle_ms, dry_run: flag('dry-run') });
    await print(images.map(({ id, names }) => `${id} ${names.join(' ')}`.trimEnd().concat('\n')).join(''));
    if (!flag('dry-run')) await print(`${images.length} removed, ${sizeText(BigInt(freed_bytes))} freed\n`);
  },
};
