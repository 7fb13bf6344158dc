import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import { unfinishedSuffix } from '../../host/durable-file.ts';
import { inParallel } from '../../host/parallel.ts';
import { refuseNewer } from '../../host/schema-version.ts';
import { fileNameOf, fileVersion, readStored, type Stored, versionOf } from './record-file.ts';
import { type Json, parseObject } from '../manifest/shape.ts';

const readsAtATime = 16;

/**
 * What the files of the folder hold, in the order in which they were written. Unfinished ones are removed; one that
 * cannot be read gets the name `.broken`. Throws `newer-format` for one of a newer release, with all left as they are.
 */
export async function readFolder(folder: string, log: Log): Promise<Stored[]> {
  const names = await readdir(folder);
  const { stored, unreadable } = await readRecords(folder, names, (path) => readFile(path, 'utf8'));
  for (const name of names) if (name.endsWith(unfinishedSuffix)) await rm(join(folder, name));
  for (const { path, error } of unreadable) await putAside(path, error, log);
  return stored;
}

/** Records in the order in which they were written, and the files that cannot be read as such. */
export type RecordsRead = { stored: Stored[]; unreadable: { path: string; error: RuntimeError }[] };

/** What the files of those names in the folder hold; changes nothing. Throws `newer-format` for one of a newer release. */
export async function readRecords(folder: string, names: readonly string[], read: (path: string) => Promise<string>): Promise<RecordsRead> {
  const paths = names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name));
  const files = await inParallel(readsAtATime, paths, (path) => readJson(path, read));
  for (const { path, json } of files)
    if (!(json instanceof RuntimeError)) refuseNewer({ path, version: versionOf(json), known: fileVersion });
  const found: RecordsRead = { stored: [], unreadable: [] };
  for (const file of files) {
    try {
      found.stored.push(storedIn(file));
    } catch (error) {
      found.unreadable.push({ path: file.path, error: asRuntimeError(error) });
    }
  }
  found.stored.sort((one, other) => one.sequence - other.sequence);
  return found;
}

type RecordFile = { path: string; json: Json | RuntimeError };

async function readJson(path: string, read: (path: string) => Promise<string>): Promise<RecordFile> {
  try {
    return { path, json: parseObject(await read(path), 'the record') };
  } catch (error) {
    return { path, json: asRuntimeError(error) };
  }
}

function storedIn({ path, json }: RecordFile): Stored {
  if (json instanceof RuntimeError) throw json;
  const stored = readStored(json);
  if (fileNameOf(stored.image.id) === basename(path)) return stored;
  throw new RuntimeError('corrupt', `the record is of ${stored.image.id}, whose file has another name`);
}

async function putAside(path: string, why: RuntimeError, log: Log): Promise<void> {
  const record = `${path}.broken`;
  await rename(path, record);
  log.error('image dropped, its record cannot be read: pull it again', { record, error: why.message });
}
