import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../api/observe.ts';
import type { Endpoint, PreparedNetwork } from './chain.ts';

/** One attachment as it is needed for a DEL; `result` is null while ADD runs. */
export type LedgerEntry = { endpoint: Endpoint; network: PreparedNetwork; result: Record<string, unknown> | null };

/**
 * Attachments on disk, one file per pod. It outlives a boot, unlike the rest of the pods' state, because what plugins
 * keep (addresses of host-local, say) does so too. Writing is off the path: nobody waits for it, failures are logged.
 */
export type Ledger = {
  note(entry: LedgerEntry): void;
  forget(id: string): void;
  find(id: string): Promise<LedgerEntry | null>;
  entries(): Promise<LedgerEntry[]>;
};

/** The ledger in `dir`, which is made. */
export async function openLedger(dir: string, log: Log): Promise<Ledger> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const name of await readdir(dir)) if (name.endsWith(UNFINISHED)) await rm(join(dir, name), { force: true });
  const writes = new Map<string, Promise<void>>();

  const enqueue = (id: string, write: () => Promise<void>): void => {
    const mine = (writes.get(id) ?? Promise.resolve())
      .then(write)
      .catch((error: unknown) => log.warn('network attachment not noted on disk', { pod: id, error: String(error) }))
      .finally(() => {
        if (writes.get(id) === mine) writes.delete(id);
      });
    writes.set(id, mine);
  };
  const find = async (id: string): Promise<LedgerEntry | null> => {
    await writes.get(id);
    return readEntry(join(dir, `${id}.json`));
  };
  return {
    note: (entry) =>
      enqueue(entry.endpoint.id, async () => replace(join(dir, `${entry.endpoint.id}.json`), JSON.stringify(entry))),
    forget: (id) => enqueue(id, async () => rm(join(dir, `${id}.json`), { force: true })),
    find,
    entries: async () => {
      const ids = (await readdir(dir))
        .filter((name) => name.endsWith('.json'))
        .map((name) => name.slice(0, -'.json'.length));
      return (await Promise.all(ids.map(find))).filter((entry) => entry !== null);
    },
  };
}

/** What a write that was cut off may leave beside its file. */
const UNFINISHED = '.json.new';

async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  try {
    await writeFile(beside, text, { mode: 0o600 });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

async function readEntry(path: string): Promise<LedgerEntry | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LedgerEntry;
  } catch {
    return null;
  }
}
