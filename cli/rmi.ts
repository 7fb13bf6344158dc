import { asRuntimeError, RuntimeError } from '../api/errors.ts';
import type { Daemon } from './daemon.ts';
import type { Verb } from './verb.ts';

/** `berth rmi` */
export const rmi: Verb = {
  args: { usage: 'IMAGE…', least: 1, most: Number.POSITIVE_INFINITY },
  summary: 'Remove images with all their tags; one that a container uses stays, and the error names who uses it.',
  options: {},
  async run({ args, daemon, print }) {
    const failures: string[] = [];
    for (const image of args) {
      try {
        await print(`${await remove(image, daemon)}\n`);
      } catch (error) {
        const { kind, message } = asRuntimeError(error);
        if (kind === 'unavailable') throw error;
        failures.push(message);
      }
    }
    if (failures.length > 0) throw new RuntimeError('internal', failures.join('; '));
  },
};

/** Returns the image's id. */
async function remove(image: string, daemon: Daemon): Promise<string> {
  const { image: found } = await daemon.call('ImageStatus', { image: { image } });
  if (found === null) throw new RuntimeError('not-found', `image ${image} is not here`);
  await daemon.call('RemoveImage', { image: { image: found.id } });
  return found.id;
}
