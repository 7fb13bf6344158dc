import type { BigIntStats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { FoundDevice } from './input.ts';

/**
 * The nodes of one asked device: itself, what a link leads to, or all below a directory. Throws `invalid` when none is
 * there, or for permissions that are none.
 */
export async function askedDevices(asked: Device): Promise<FoundDevice[]> {
  const { host_path: path, container_path: as, permissions = '' } = asked;
  if (!/^[rwm]*$/.test(permissions)) {
    throw new RuntimeError('invalid', `device ${path}: permissions ${permissions} are not a subset of rwm`);
  }
  const node = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw new RuntimeError('invalid', `device ${path} cannot be found on the host: ${String(error)}`, error);
  });
  const access = permissions || 'rwm';
  const found = node.isDirectory() ? await nodesBelow(path, as || path, access) : nodes(node, as || path, access);
  if (found.length === 0) throw new RuntimeError('invalid', `device ${path}: that is no device, nor a directory with one`);
  return found;
}

/** Every device of the host. */
export function hostDevices(): Promise<FoundDevice[]> {
  return nodesBelow('/dev', '/dev', 'rwm');
}

/** Left to the OCI runtime, which gives every container its own of these. */
const PER_CONTAINER = new Set(['/dev/console', '/dev/fd', '/dev/mqueue', '/dev/ptmx', '/dev/pts', '/dev/shm']);

/** Links are passed over: what they lead to is found where it is, and none leads in a circle. */
async function nodesBelow(path: string, as: string, access: string): Promise<FoundDevice[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry): Promise<FoundDevice[]> => {
    const inside = join(path, entry.name);
    if (PER_CONTAINER.has(inside)) return [];
    if (entry.isDirectory()) return nodesBelow(inside, join(as, entry.name), access);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    const node = await lstat(inside, { bigint: true }).catch(() => null);
    return node ? nodes(node, join(as, entry.name), access) : [];
  });
  return (await Promise.all(found)).flat();
}

/** The device or fifo at the path, links followed; undefined when there is none. */
export async function nodeAt(path: string): Promise<FoundDevice | undefined> {
  const node = await stat(path, { bigint: true }).catch(() => undefined);
  if (node?.isFIFO()) return { path, type: 'p', major: 0, minor: 0, fileMode: Number(node.mode) & 0o7777, access: 'rwm' };
  return node && nodes(node, path, 'rwm')[0];
}

function nodes(node: BigIntStats, path: string, access: string): FoundDevice[] {
  if (!node.isCharacterDevice() && !node.isBlockDevice()) return [];
  const type = node.isBlockDevice() ? 'b' : 'c';
  const owner = { uid: Number(node.uid), gid: Number(node.gid) };
  return [{ path, type, ...deviceNumber(node.rdev), fileMode: Number(node.mode) & 0o7777, ...owner, access }];
}

/** As glibc's gnu_dev_major and gnu_dev_minor take it apart (makedev(3)). */
function deviceNumber(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}
