import { lstat, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { Checked, Problem } from '../../api/problem.ts';
import type { Engine } from '../../host/engine.ts';
import { orIfMissing } from '../../host/files.ts';
import type { Layers } from '../layers/layers.ts';
import { removeSums } from '../layers/sums.ts';
import type { Image, ImageCheckAsk, Images } from '../records/record.ts';
import { fileNameOf } from '../records/record-file.ts';
import type { Records } from '../records/records.ts';
import { contentFault } from './content.ts';
import { judgeStore, layerProblem, type StoreKnown } from './judge.ts';
import { lookAtStore } from './look.ts';

/** What a check of the images of a running daemon needs. */
export type CheckOptions = {
  root: string;
  engine: Engine;
  records: Records;
  layers: Layers;
  isElsewhere: (diffId: string) => boolean;
  holders: Images['holders'];
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Removes those of the layers that no image has and no pull claims; for who has the turn. */
  discardUnused: (diffIds: readonly string[]) => Promise<unknown>;
};

/**
 * Checks the store, and mends what it finds where that is wanted. All of it is one turn: what is in the middle of a change is
 * no problem, and what is found is still so when it is mended.
 */
export async function* checkImages(options: CheckOptions, ask: ImageCheckAsk): AsyncGenerator<Checked> {
  const { root, inTurn } = options;
  yield* await inTurn(async () => outcomes(judgeStore(await lookAtStore(root), knownOf(options)), options, ask));
  if (ask.full) yield* checkContents(options, ask);
}

/** The content of every layer of our own, one after the other; a layer is held while it is read. */
async function* checkContents(options: CheckOptions, ask: ImageCheckAsk): AsyncGenerator<Checked> {
  const { root, engine, records, layers, inTurn } = options;
  for (const diffId of new Set(records.catalog.list().flatMap((image) => image.layers))) {
    if (!layers.isOwn(diffId)) continue;
    ask.signal.throwIfAborted();
    const release = layers.claim([diffId]);
    const fault = await contentFault(engine, root, diffId, ask.signal).finally(release);
    if (fault === undefined) ask.unverified(diffId);
    if (fault === undefined || fault === '') continue;
    yield* await inTurn(async () => {
      const seen = await lookAtStore(root);
      const images = records.catalog.list().filter((image) => image.layers.includes(diffId));
      return outcomes(images.map((image) => layerProblem({ kind: 'layer-content', image, diffId, fault }, seen, knownOf(options))), options, ask);
    });
  }
}

async function outcomes(problems: readonly Problem[], options: CheckOptions, { repair }: { repair: boolean }): Promise<Checked[]> {
  const checked: Checked[] = [];
  for (const problem of problems) {
    checked.push(repair && problem.repair !== '' ? await mended(problem, options) : { ...problem, repaired: false, error: '' });
  }
  return checked;
}

function knownOf({ records, layers, isElsewhere, holders }: CheckOptions): StoreKnown {
  return {
    inMemory: records.catalog.list().map(({ id }) => id),
    holders: (id) => holders(records.catalog.byId(id) ?? ({ id } as Image)),
    isElsewhere,
    inFlight: (name) => layers.isOwn(`sha256:${name}`) || layers.isClaimed(`sha256:${name}`) || layers.isTemporary(name),
  };
}

async function mended(problem: Problem, options: CheckOptions): Promise<Checked> {
  try {
    await mend(problem, options);
    return { ...problem, repaired: true, error: '' };
  } catch (error) {
    return { ...problem, repaired: false, error: asRuntimeError(error).message };
  }
}

async function mend({ kind, id, path }: Problem, options: CheckOptions): Promise<void> {
  const { root, records, layers, engine } = options;
  const image = records.catalog.byId(id);
  if (kind === 'image-record' && image !== undefined && path.endsWith(fileNameOf(id))) {
    await records.save(image, [], layers.usageOf);
  } else if (kind === 'image-record' || path.includes('/images/')) {
    await rm(path);
  } else if ((kind === 'image-layer' || kind === 'layer-content') && image !== undefined) {
    await dropImage(image, path, options);
  } else if (kind === 'orphan-layer') {
    await layers.putAway([path]);
    await removeSums(root, [id]);
  } else {
    await engine.call('removeTrees', { unmount: [], remove: [path] });
  }
}

/** Drops an image; one that is in use stays, and the next pull brings the layer that is missing. */
async function dropImage(image: Image, path: string, { root, records, layers, holders, discardUnused }: CheckOptions): Promise<void> {
  const users = holders(image);
  const diffId = `sha256:${basename(path)}`;
  if ((await orIfMissing(lstat(path), undefined)) === undefined) {
    layers.forget(diffId);
    await removeSums(root, [diffId]);
  } else if (users.length > 0) {
    throw new RuntimeError('in-use', `the image is used by ${users.join(', ')} now`);
  }
  if (users.length === 0) await records.remove(image.id);
  // Written anew, it is out of sight until its layer is there again.
  else await records.save(image, [], layers.usageOf);
  await discardUnused(image.layers);
}
