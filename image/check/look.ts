import { opendir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orIfMissing } from '../../host/files.ts';
import { inParallel } from '../../host/parallel.ts';
import { storeFolders } from '../layers/places.ts';
import { readRecords, type RecordsRead } from '../records/record-folder.ts';

/** What lies in the folders of a store. */
export type StoreSeen = {
  root: string;
  records: RecordsRead;
  /** Names beside the records in `images/`: unfinished ones, and those that were put aside. */
  besideRecords: readonly string[];
  layers: readonly LayerSeen[];
  /** Names in `sums/`: layers of which it is known what they held. */
  sums: readonly string[];
  /** Names in `tmp/`. */
  temporary: readonly string[];
};

/** An entry of `layers/`. */
export type LayerSeen = { name: string; isDirectory: boolean; isEmpty: boolean };

const looksAtATime = 4;

/** Looks at the store below `root` and changes nothing. Throws `newer-format` when a newer release wrote one of its records. */
export async function lookAtStore(root: string): Promise<StoreSeen> {
  const names = await namesIn(join(root, 'images'));
  const entries = await orIfMissing(readdir(join(root, 'layers'), { withFileTypes: true }), []);
  return {
    root,
    records: await readRecords(join(root, 'images'), names, (path) => readFile(path, 'utf8')),
    besideRecords: names.filter((name) => !name.endsWith('.json')),
    layers: await inParallel(looksAtATime, entries, async (entry) => {
      const isDirectory = entry.isDirectory();
      return { name: entry.name, isDirectory, isEmpty: isDirectory && (await isEmpty(join(root, 'layers', entry.name))) };
    }),
    sums: await namesIn(storeFolders(root).sums),
    temporary: await namesIn(join(root, 'tmp')),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  return orIfMissing(readdir(folder), []);
}

/** One that goes away meanwhile is not there any more when it is looked for next. */
async function isEmpty(path: string): Promise<boolean> {
  const directory = await orIfMissing(opendir(path), undefined);
  if (directory === undefined) return false;
  try {
    return (await directory.read()) === null;
  } finally {
    await directory.close();
  }
}
