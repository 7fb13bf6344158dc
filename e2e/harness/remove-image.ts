import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { entriesIn } from './files.ts';
import { until } from './process.ts';

/** RemoveImage, and the wait for its layers to be off the disk too: many files take long on a machine that is busy. */
export async function removeImage(daemon: Daemon, image: string): Promise<void> {
  await daemon.cri.call('RemoveImage', { image: { image } });
  await until(() => entriesIn(join(daemon.root, 'tmp')).length === 0, 60_000, `the layers of ${image} to be removed`);
}
