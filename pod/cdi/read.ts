import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import { nodeAt } from '../spec/host-devices.ts';
import type { CompleteEdits, CompleteNode, DeviceNode } from './edits.ts';
import { type CdiFile, findEdits } from './find.ts';
import { readCdiSpec } from './spec.ts';

/** Version 1.1 is what Go programs write and read, with octal numbers such as 0660; warnings would go past the log. */
export const cdiYaml = { version: '1.1', logLevel: 'error' } as const;

/** Larger files are no descriptions of devices. */
const FILE_MAX_BYTES = 4 << 20;

/**
 * What the CDI devices of these names change of a container, by the files that are in the directories now. Throws
 * `invalid` as `findEdits` does, and for a device node that the host does not have.
 */
export async function cdiEdits(names: readonly string[], directories: readonly string[]): Promise<CompleteEdits[]> {
  if (names.length === 0) return [];
  const files = (await Promise.all(directories.map(filesIn))).flat();
  return Promise.all(findEdits(files, names, directories).map(async (edits) => ({
    ...edits, deviceNodes: await Promise.all(edits.deviceNodes.map(complete)),
  })));
}

/** A directory that is not there has no files. */
async function filesIn(directory: string, rank: number): Promise<CdiFile[]> {
  const names = await readdir(directory).catch(() => []);
  const paths = names.filter((name) => ['.json', '.yaml', '.yml'].includes(extname(name))).sort().map((name) => join(directory, name));
  return Promise.all(paths.map(async (path): Promise<CdiFile> => {
    try {
      return { path, directory: rank, spec: readCdiSpec(await parsed(path)) };
    } catch (error) {
      return { path, directory: rank, error: error instanceof Error ? error.message : String(error) };
    }
  }));
}

async function parsed(path: string): Promise<unknown> {
  const found = await stat(path);
  // To read a pipe would wait for who writes it.
  if (!found.isFile()) throw new Error('it is no regular file');
  if (found.size > FILE_MAX_BYTES) throw new Error(`it is larger than ${FILE_MAX_BYTES} bytes`);
  const text = await readFile(path, 'utf8');
  if (path.endsWith('.json')) return JSON.parse(text);
  // Loaded when the first such file is met: most nodes have none.
  const { parse } = (await import('yaml')).default;
  return parse(text, cdiYaml);
}

/** What the file says of a node counts, the rest is as on the host; one that is described whole need not be there. */
async function complete(node: DeviceNode): Promise<CompleteNode> {
  const { path, hostPath, type, major, minor, fileMode, permissions: access, uid, gid } = node;
  const onHost = await nodeAt(hostPath);
  const whole = type !== '' && (major !== 0 || type === 'p');
  if (!onHost && !whole) throw new RuntimeError('invalid', `CDI device node ${path}: there is no device ${hostPath} on the host`);
  const kind = whole ? { type, major, minor } : { type: type || (onHost?.type ?? 'c'), major: onHost?.major ?? 0, minor: onHost?.minor ?? 0 };
  if (onHost && onHost.type !== kind.type) throw new RuntimeError('invalid', `CDI device node ${path}: ${hostPath} is of type ${onHost.type}, not ${kind.type}`);
  const mode = fileMode ?? onHost?.fileMode;
  return { path, ...kind, ...(mode !== undefined && { fileMode: mode }), uid, gid, access };
}
