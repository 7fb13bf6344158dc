import { RuntimeError } from '../../api/errors.ts';
import type { Edits } from './edits.ts';
import type { CdiSpec } from './spec.ts';

/** A file of a CDI directory: what it says, or why it cannot be read. Those of later directories count more. */
export type CdiFile = { path: string; directory: number } & ({ spec: CdiSpec } | { error: string });

type Defined = { path: string; directory: number; spec: CdiSpec; edits: Edits };

/**
 * What the devices of these names change, in their order: what their file changes for all of its devices comes first,
 * once. A device in a later directory takes the place of one in an earlier. Throws `invalid` for a device that no file
 * has, naming the directories and the files that cannot be read, and for one that two files of equal rank have.
 */
export function findEdits(files: readonly CdiFile[], names: readonly string[], directories: readonly string[]): Edits[] {
  const seen = new Set<CdiSpec>();
  return names.flatMap((name) => {
    const { spec, edits } = definitionOf(files, name, directories);
    if (seen.has(spec)) return [edits];
    seen.add(spec);
    return [spec.edits, edits];
  });
}

function definitionOf(files: readonly CdiFile[], name: string, directories: readonly string[]): Defined {
  const all = files.flatMap((file) => definitionsIn(file, name));
  const rank = Math.max(...all.map(({ directory }) => directory));
  const [first, second] = all.filter(({ directory }) => directory === rank);
  if (first && second) throw new RuntimeError('invalid', `CDI device ${name} is in two files, ${first.path} and ${second.path}: remove one`);
  if (first) return first;
  const broken = files.flatMap((file) => ('error' in file ? [`; ${file.path} cannot be read: ${file.error}`] : []));
  throw new RuntimeError('invalid', `CDI device ${name} is in no file of ${directories.join(', ') || 'no directory'}${broken.join('')}`);
}

function definitionsIn(file: CdiFile, name: string): Defined[] {
  if ('error' in file) return [];
  const { path, directory, spec } = file;
  const found = spec.devices.filter((device) => `${spec.kind}=${device.name}` === name);
  return found.map(({ edits }) => ({ path, directory, spec, edits }));
}
