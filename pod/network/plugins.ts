import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { invoke } from './invoke.ts';

/** Finds plugins and asks them what they can. */
export type Plugins = {
  /** Absolute path of the plugin's binary; `unavailable` when no directory has it. */
  path(type: string): Promise<string>;
  /** Versions of the specification that the plugin answers to VERSION; asked once. */
  versions(type: string): Promise<string[]>;
};

/**
 * Plugins in `dirs`, the first directory that has one wins. Paths found are kept; a missing one is looked for again.
 */
export function pluginsIn(dirs: string[], engine: Engine): Plugins {
  const paths = new Map<string, string>();
  const answers = new Map<string, Promise<string[]>>();

  const path = async (type: string): Promise<string> => {
    const known = paths.get(type);
    if (known !== undefined) return known;
    const found = await firstExecutable(dirs.map((dir) => join(dir, type)));
    if (found === null) {
      throw new RuntimeError(
        'unavailable',
        `CNI plugin ${type} is in none of ${dirs.join(', ')}: install it or set --cni-plugin-dirs`,
      );
    }
    paths.set(type, found);
    return found;
  };
  const ask = async (type: string): Promise<string[]> => {
    const answer = await invoke(engine, {
      path: await path(type),
      command: 'VERSION',
      env: {},
      stdin: '{"cniVersion":"1.1.0"}',
    });
    const versions = answer?.['supportedVersions'];
    return Array.isArray(versions) ? versions.filter((version) => typeof version === 'string') : [];
  };
  const versions = (type: string): Promise<string[]> => {
    const known = answers.get(type);
    if (known !== undefined) return known;
    const asked = ask(type);
    answers.set(type, asked);
    asked.catch(() => answers.delete(type));
    return asked;
  };
  return { path, versions };
}

async function firstExecutable(candidates: string[]): Promise<string | null> {
  for (const candidate of candidates) {
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  return null;
}
