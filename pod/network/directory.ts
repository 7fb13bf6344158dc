import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseConfig, configFiles, type NetworkConfig } from './config.ts';

/** What a configuration directory held when it was last looked at. */
export type ConfigState = { config: NetworkConfig | null; problems: string[]; files: string[] };

/**
 * A view of a CNI configuration directory. Every read compares names, sizes and times of the files, which costs a
 * fraction of a millisecond, and parses only what changed; so no watch can be missed. Reads at the same time share one
 * look.
 */
export function configDirectory(dir: string): () => Promise<ConfigState> {
  let known = { signature: '', state: { config: null, problems: [], files: [] } as ConfigState };
  let looking: Promise<ConfigState> | null = null;

  const look = async (): Promise<ConfigState> => {
    const files = configFiles(await readdir(dir).catch(() => []));
    const signature = (await Promise.all(files.map(async (name) => describe(join(dir, name), name)))).join('\n');
    if (signature !== known.signature) known = { signature, state: await load(dir, files) };
    return known.state;
  };
  return () =>
    (looking ??= look().finally(() => {
      looking = null;
    }));
}

async function describe(path: string, name: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found === null ? name : `${name} ${found.ino} ${found.size} ${found.mtimeMs}`;
}

async function load(dir: string, names: string[]): Promise<ConfigState> {
  const read = async (name: string) => ({ name, text: await readFile(join(dir, name), 'utf8').catch(() => '') });
  return { ...chooseConfig(await Promise.all(names.map(read))), files: names };
}
