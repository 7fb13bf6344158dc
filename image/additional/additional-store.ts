import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { inParallel } from '../../host/parallel.ts';
import { searchPath } from '../../host/program.ts';
import { type LayerUsage, noUsage } from '../layers/layers.ts';
import { hexOf } from '../layers/places.ts';
import type { Stored } from '../records/record-file.ts';
import { readRecords, type RecordsRead } from '../records/record-folder.ts';

/** A layer in a store that is not ours. */
export type LayerElsewhere = { path: string; usage: LayerUsage };

/** What was found in an additional store: its whole images and their layers, by diffID. */
export type StoreContent = { images: readonly Stored[]; layers: ReadonlyMap<string, LayerElsewhere>; unreadable: RecordsRead['unreadable'] };

/** What lies in a store, by name; `text` is another one whenever a record has changed. */
export type Listing = { text: string; records: readonly string[]; layers: ReadonlySet<string> };

/** What one look may take until the file system counts as hanging. */
export const lookLimitMs = 5_000;

/** Most that a record is read of. */
const recordMaxBytes = 4 << 20;
const readsAtATime = 4;

const script = 'cd "$0" && ls -lic --full-time images && echo / && ls -1 layers && echo .';

/**
 * Lists the store below `root` by a program that is killed when its time is over: this process must never wait for a file
 * system that hangs. Throws `timeout`, `exhausted`, and `corrupt` with what the program says.
 */
export async function listStore(root: string, engine: Engine): Promise<Listing> {
  const { exitCode, stdout, stderr } = await engine.call('run', {
    lane: 'runtime',
    path: '/usr/bin/env',
    args: ['sh', '-c', script, root],
    env: { PATH: searchPath(), LC_ALL: 'C' },
    stdin: '',
    timeoutMs: lookLimitMs,
  });
  if (exitCode !== 0) throw new RuntimeError('corrupt', stderr.trim() || `the program that lists it ended with ${exitCode}`);
  const lines = stdout.split('\n');
  const middle = lines.indexOf('/');
  if (lines.at(-2) !== '.') throw new RuntimeError('exhausted', 'it has more images and layers than fit one listing of 1 MiB');
  const records = lines.slice(0, middle).map((line) => line.split(' ').at(-1) ?? '').filter((name) => name.endsWith('.json'));
  return { text: stdout, records, layers: new Set(lines.slice(middle + 1, -2)) };
}

/** Reads what was listed; changes nothing. Throws `newer-format` for a store of a newer release. */
export async function readStore(root: string, listing: Listing, engine: Engine): Promise<StoreContent> {
  const paths = listing.records.map((name) => join(root, 'images', name));
  const texts = new Map(await inParallel(readsAtATime, paths, async (path) => [path, await readText(path, engine)] as const));
  const { stored, unreadable } = await readRecords(join(root, 'images'), listing.records, async (path) => {
    const { text, error } = texts.get(path) ?? { text: '', error: 'it was not read' };
    if (error !== '') throw new RuntimeError('corrupt', error);
    return text;
  });
  const images = stored
    .filter(({ image }) => image.layers.every((diffId) => listing.layers.has(hexOf(diffId))))
    .map((one) => ({ ...one, image: { ...one.image, additionalStore: root } }));
  const layers = new Map(
    images.flatMap(({ image, usages }) =>
      image.layers.map((diffId) => [diffId, { path: layerPathIn(root, diffId), usage: usages.get(diffId) ?? noUsage }] as const),
    ),
  );
  return { images, layers, unreadable };
}

async function readText(path: string, engine: Engine): Promise<{ text: string; error: string }> {
  const { texts: [read] } = await engine.call('readTexts', { paths: [path], maxBytes: recordMaxBytes });
  return read ?? { text: '', error: 'it was not read' };
}

/** Where the layer lies in the store below `root`. */
export function layerPathIn(root: string, diffId: string): string {
  return join(root, 'layers', hexOf(diffId));
}
