import { readdir, readFile } from 'node:fs/promises';
import { isKind } from '../api/errors.ts';
import { everyCgroupDir, shimPath } from '../host/cgroup.ts';
import { containerMountPoints } from './container/image-volumes.ts';
import type { PodContext } from './context.ts';
import { endCgroup } from './end-cgroup.ts';
import { containerPaths, podPaths, socketName } from './paths.ts';
import { clearRuntimeState } from './runtime-state.ts';
import { connectShim } from './shim/client.ts';
import { finishAll } from './teardown.ts';

/**
 * Removes what outlived its records: shims, network attachments and pins, directories of pods, writable layers and
 * bundles of containers. Runs in the background after a start. A namespace pinned by nobody known is left alone: other
 * runtimes pin theirs in the same folder.
 */
export async function sweepRoot(context: PodContext): Promise<void> {
  try {
    await sweep(context);
  } catch (error) {
    context.log.warn('leftovers of an earlier start remain', { error: String(error) });
  }
}

/** The same for who wants to know what could not be removed: throws when something remains. */
export async function sweep(context: PodContext): Promise<void> {
  await finishAll('sweep', [
    () => endStrayShims(context),
    () => context.network.collect([...context.store.sandboxes.all()].map((sandbox) => sandbox.id)),
    () => removePods(context),
    () => removeContainers(context),
  ]);
}

/** A shim without record cannot be reached by any call: its containers and itself are ended. */
async function endStrayShims(context: PodContext): Promise<void> {
  const folder = `${context.roots.state}/s`;
  const sockets = await names(folder);
  const known = new Set([...context.store.sandboxes.all()].map((sandbox) => socketName(sandbox.id)));
  const strays = sockets.filter((name) => !known.has(name)).map((name) => `${folder}/${name}`);
  await finishAll('end shims without record', strays.map((socket) => () => endShim(context, socket)));
}

async function endShim(context: PodContext, socket: string): Promise<void> {
  const news = { onExit: () => undefined, onLogLost: () => undefined, onGone: () => undefined };
  const shim = await connectShim(socket, 0, news).catch((error: unknown) => {
    if (isKind(error, 'wrong-state')) throw error;
    return undefined;
  });
  if (shim) {
    const cgroup = shimPath(await readFile(`/proc/${shim.hello.pid}/cgroup`, 'utf8').catch(() => ''));
    context.log.warn('a shim without record is ended', { socket, shim: shim.hello.pid, containers: shim.hello.containers.length });
    for (const { id } of shim.hello.containers) await shim.call('delete', { container: id, timeoutMs: context.settings.runtimeTimeout });
    await shim.call('quit', {});
    shim.close();
    const dirs = cgroup === undefined ? {} : everyCgroupDir(context.cgroup.host, cgroup);
    await endCgroup(context.engine, dirs);
  }
  await context.engine.call('removeTrees', { unmount: [], remove: [socket] });
}

async function removePods({ engine, log, roots, store }: PodContext): Promise<void> {
  const orphans = (await names(`${roots.state}/pods`)).filter((id) => !store.sandboxes.get(id)).map((id) => podPaths(roots, id));
  for (const { shm, netns, directory, socket } of orphans) {
    await engine.call('releasePod', { shm, netnsPath: netns, cgroup: {}, directory, socket });
  }
  if (orphans.length > 0) log.info('pods without record removed', { pods: orphans.length });
}

async function removeContainers({ engine, log, roots, store }: PodContext): Promise<void> {
  const layers = await names(`${roots.root}/containers`);
  const bundles = await names(`${roots.state}/containers`);
  const known = await knownToRuntimes(roots.state);
  const ids = [...new Set([...layers, ...bundles, ...known.map(({ id }) => id)])].filter((id) => !store.containers.get(id) && !store.sandboxes.get(id));
  if (ids.length === 0) return;
  const orphans = ids.map((id) => containerPaths(roots, id));
  await engine.call('removeTrees', {
    unmount: (await Promise.all(orphans.map(containerMountPoints))).flat(),
    remove: orphans.flatMap((paths) => [paths.bundle, paths.writable]),
  });
  await clearRuntimeState(engine, known.flatMap(({ id, path }) => (ids.includes(id) ? [path] : [])));
  log.info('containers without record removed', { containers: ids.length });
}

/** What OCI runtimes keep, a folder named by the id for each container and each sandbox process. */
async function knownToRuntimes(state: string): Promise<{ id: string; path: string }[]> {
  const folders = (await names(`${state}/oci`)).map((handler) => `${state}/oci/${handler}`);
  const found = await Promise.all(folders.map(async (folder) => (await names(folder)).map((id) => ({ id, path: `${folder}/${id}` }))));
  return found.flat().filter(({ id }) => /^[0-9a-f]{64}$/.test(id));
}

async function names(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}
