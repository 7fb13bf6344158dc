import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';
import { orIfMissing } from '../../host/files.ts';
import { keyedQueue } from '../../host/queue.ts';
import type { LayerElsewhere } from '../additional/additional-store.ts';
import { createClaims } from './claims.ts';
import { hexOf, layerPath, storeFolders, sumsBeside } from './places.ts';
import { placeSums, removeSums, sweepSums } from './sums.ts';

/** What a layer takes on the disk. */
export type LayerUsage = { usedBytes: bigint; inodes: bigint };
/** Both together. */
export function addUsage(one: LayerUsage, other: LayerUsage): LayerUsage {
  return { usedBytes: one.usedBytes + other.usedBytes, inodes: one.inodes + other.inodes };
}
/** Of a layer that nobody counted. */
export const noUsage: LayerUsage = { usedBytes: 0n, inodes: 0n };

/** A layer unpacked below the temporary folder, not yet in its place; `implied`: directories that it leaves to the layers below. */
export type UnpackedLayer = { diffId: string; directory: string; usage: LayerUsage; implied: string[] };

/** The layer folders: a layer is there when its folder is, and never changes then. Those of additional stores count as there. */
export type Layers = {
  has(diffId: string): boolean;
  /** True for one that lies in our own folder, which comes first. */
  isOwn(diffId: string): boolean;
  pathOf(diffId: string): string;
  usageOf(diffId: string): LayerUsage;
  /** All layers of our own together, and the folder they are in. */
  usage(): LayerUsage & { path: string };
  /** A path below the temporary folder that nothing has. */
  temporary(): string;
  /** True for names of the temporary folder that were given out since the layers were opened. */
  isTemporary(name: string): boolean;
  /** Keeps layers, present or coming, from `discard` until the returned function is called. */
  claim(diffIds: readonly string[]): () => void;
  isClaimed(diffId: string): boolean;
  /** Moves those of the unpacked layers that are not there yet to their place in the image of these layers, durably. */
  commit(unpacked: readonly UnpackedLayer[], diffIds: readonly string[]): Promise<void>;
  /** Removes these paths of the layers' file system: out of sight when it resolves, off the disk soon after. */
  putAway(paths: string[]): Promise<void>;
  /** Counts a layer as not there, because it is not, so that the next pull brings it. */
  forget(diffId: string): void;
  /** Takes layers away: out of sight when it resolves, off the disk soon after. */
  discard(diffIds: readonly string[]): Promise<void>;
  /** Resolves when all that was put away or discarded is off the disk, or could not be removed. */
  settled(): Promise<void>;
  /** Removes what was unpacked unless it has been moved to its place. */
  removeUnpacked(unpacked: UnpackedLayer): Promise<void>;
};

/** `wanted`: the layers of the known images; any other folder goes, and so does all temporary content. */
export type LayersOptions = {
  root: string;
  engine: Engine;
  log: Log;
  wanted: ReadonlySet<string>;
  known: ReadonlyMap<string, LayerUsage>;
  elsewhere: (diffId: string) => LayerElsewhere | undefined;
};

/** Opens the folders, made where missing. */
export async function openLayers(options: LayersOptions): Promise<Layers> {
  const { root, engine, log, elsewhere } = options;
  const folders = storeFolders(root);
  const ownPath = (diffId: string): string => layerPath(root, diffId);
  const ours = `${randomUUID().slice(0, 8)}-`;
  const temporary = (): string => join(folders.temporary, `${ours}${randomUUID()}`);
  const { removeSoon, settled } = removals(engine, log);
  const putAway = async (paths: string[]): Promise<void> => {
    const moved: string[] = [];
    // One after the other: a stalled disk may hold up one thread of Node's pool, not all of them.
    for (const path of paths) {
      const to = temporary();
      if (await orIfMissing(rename(path, to).then(() => true), false)) moved.push(to);
    }
    removeSoon(moved);
  };

  const present = await sweep(folders, options, putAway, removeSoon);
  const total = { usedBytes: 0n, inodes: 0n };
  for (const usage of present.values()) add(total, usage, 1n);
  const claims = createClaims();
  const forget = (diffId: string): void => {
    add(total, present.get(diffId) ?? noUsage, -1n);
    present.delete(diffId);
  };
  const moved = new WeakSet<UnpackedLayer>();
  const pathOf = (diffId: string): string => (present.has(diffId) ? undefined : elsewhere(diffId)?.path) ?? ownPath(diffId);
  return {
    pathOf,
    temporary,
    isTemporary: (name) => name.startsWith(ours),
    has: (diffId) => present.has(diffId) || elsewhere(diffId) !== undefined,
    isOwn: (diffId) => present.has(diffId),
    usageOf: (diffId) => present.get(diffId) ?? elsewhere(diffId)?.usage ?? noUsage,
    usage: () => ({ ...total, path: folders.layers }),
    isClaimed: claims.has,
    claim: claims.take,
    async commit(unpacked, diffIds) {
      const level = ({ diffId }: UnpackedLayer): number => diffIds.indexOf(diffId);
      const added = unpacked.filter(({ diffId }) => !present.has(diffId)).sort((a, b) => level(a) - level(b));
      const moves = added.map((layer) => {
        const below = diffIds.slice(0, level(layer)).reverse().map(pathOf);
        return { from: layer.directory, to: ownPath(layer.diffId), implied: layer.implied, below };
      });
      await placeSums(root, added);
      if (moves.length > 0) await engine.call('commitLayers', { moves });
      for (const layer of added) {
        present.set(layer.diffId, layer.usage);
        add(total, layer.usage, 1n);
        moved.add(layer);
      }
    },
    forget,
    putAway,
    async discard(diffIds) {
      const going = diffIds.filter((diffId) => present.has(diffId));
      going.forEach(forget);
      await putAway(going.map(ownPath));
      await removeSums(root, going);
    },
    settled,
    async removeUnpacked(layer) {
      if (!moved.has(layer)) await engine.call('removeTrees', { unmount: [], remove: [layer.directory, sumsBeside(layer.directory)] });
    },
  };
}

/** One after the other: freeing many files can be slow, and the engine has few threads for it. */
function removals(engine: Engine, log: Log): { removeSoon(paths: string[]): void; settled(): Promise<void> } {
  const queue = keyedQueue();
  return {
    removeSoon(paths) {
      if (paths.length === 0) return;
      queue
        .run('', () => engine.call('removeTrees', { unmount: [], remove: paths }))
        .catch((error: unknown) => log.warn('layers were not removed, the next start will', { error: String(error) }));
    },
    settled: () => queue.run('', () => Promise.resolve()),
  };
}

type Folders = ReturnType<typeof storeFolders>;

/** The wanted layers that are there. */
async function sweep(
  folders: Folders,
  { root, wanted, known, log }: LayersOptions,
  putAway: (paths: string[]) => Promise<void>,
  removeSoon: (paths: string[]) => void,
): Promise<Map<string, LayerUsage>> {
  await mkdir(folders.layers, { recursive: true, mode: 0o700 });
  await mkdir(folders.temporary, { recursive: true, mode: 0o700 });
  removeSoon((await readdir(folders.temporary)).map((name) => join(folders.temporary, name)));
  const names = new Set(await readdir(folders.layers));
  const present = [...wanted].filter((diffId) => names.delete(hexOf(diffId)));
  for (const name of names) {
    const path = join(folders.layers, name);
    // One folder that the disk has spoilt is no reason not to start.
    await putAway([path]).catch((error: unknown) => log.warn('a layer of no image cannot be taken away', { path, error: String(error) }));
  }
  await sweepSums(root, present);
  return new Map(present.map((diffId) => [diffId, known.get(diffId) ?? noUsage]));
}

function add(total: LayerUsage, usage: LayerUsage, sign: bigint): void {
  total.usedBytes += sign * usage.usedBytes;
  total.inodes += sign * usage.inodes;
}
