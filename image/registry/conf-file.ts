import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { orIfMissing, readIfThere } from '../../host/files.ts';
import { emptyConf, mergeConf, parseRegistriesConf, type RegistriesConf } from './conf.ts';

/** registries.conf and its drop-ins as they are now. */
export type ConfFile = {
  /** What was read last; nothing before the first `refresh`. */
  current(): RegistriesConf;
  /** Reads again when a file came, went or changed. Throws `invalid` naming the file; the last good ones stay current. */
  refresh(): Promise<RegistriesConf>;
};

/** `path` and `<path>.d/*.conf` in the order of their names, later ones over earlier ones; missing files are fine. */
export function openConfFile(path: string): ConfFile {
  let conf = emptyConf;
  let stamp = '';
  return {
    current: () => conf,
    async refresh() {
      const files = [path, ...(await dropIns(`${path}.d`))];
      const stamps = await Promise.all(files.map(stampOf));
      if (stamps.join('\n') === stamp) return conf;
      const texts = await Promise.all(files.map(readIfThere));
      conf = texts.reduce(
        (merged, text, i) => mergeConf(merged, parseRegistriesConf(text, files[i] ?? path)),
        emptyConf,
      );
      stamp = stamps.join('\n');
      return conf;
    },
  };
}

async function dropIns(directory: string): Promise<string[]> {
  const names = await orIfMissing(readdir(directory), []);
  return names
    .filter((name) => name.endsWith('.conf'))
    .sort()
    .map((name) => join(directory, name));
}

async function stampOf(file: string): Promise<string> {
  const found = await orIfMissing(stat(file, { bigint: true }), undefined);
  return found === undefined ? '' : `${file} ${found.mtimeNs} ${found.size} ${found.ino}`;
}
