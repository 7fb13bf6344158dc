import { readdir } from 'node:fs/promises';
import type { PodContext } from './context.ts';
import { containerPaths, podPaths } from './paths.ts';

/**
 * Removes what outlived its records: writable layers and bundles of containers, directories of pods, and network
 * attachments of an earlier boot. Runs in the background after a start.
 */
export async function sweepRoot(context: PodContext): Promise<void> {
  const { engine, log, roots, store } = context;
  try {
    const layers = await names(`${roots.root}/containers`);
    const bundles = await names(`${roots.state}/containers`);
    const orphans = [...new Set([...layers, ...bundles])].filter((id) => !store.containers.get(id)).map((id) => containerPaths(roots, id));
    const pods = (await names(`${roots.state}/pods`)).filter((id) => !store.sandboxes.get(id)).map((id) => podPaths(roots, id));
    if (orphans.length + pods.length > 0) {
      await engine.call('removeTrees', {
        unmount: [...orphans.map((paths) => paths.rootfs), ...pods.map((paths) => paths.shm)],
        remove: [...orphans.flatMap((paths) => [paths.bundle, paths.writable]), ...pods.map((paths) => paths.directory)],
      });
      log.info('leftovers of an earlier boot removed', { containers: orphans.length, pods: pods.length });
    }
    await context.network.collect([...store.sandboxes.all()].map((sandbox) => sandbox.id));
  } catch (error) {
    log.warn('leftovers of an earlier boot remain', { error: String(error) });
  }
}

async function names(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}
