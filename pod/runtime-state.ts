import { access, readFile } from 'node:fs/promises';
import type { Engine } from '../host/engine.ts';

/**
 * Removes the folders in which OCI runtimes kept what they knew of containers, where a runtime that was killed has left
 * one. Nothing of those containers may run any more.
 */
export async function clearRuntimeState(engine: Engine, folders: readonly string[]): Promise<void> {
  const there = await Promise.all(folders.map((folder) => access(folder).then(() => true, () => false)));
  const left = folders.filter((_, at) => there[at]);
  if (left.length === 0) return;
  await engine.call('removeTrees', { unmount: mountPointsBelow(await readFile('/proc/self/mountinfo', 'utf8'), left), remove: [...left] });
}

/** What is mounted below folders, the last mount first (proc_pid_mountinfo(5)): runc binds its own program there while it starts one. */
export function mountPointsBelow(mountinfo: string, folders: readonly string[]): string[] {
  const octal = (_: string, digits: string): string => String.fromCharCode(Number.parseInt(digits, 8));
  const points = mountinfo.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, octal));
  return points.filter((point) => folders.some((folder) => point.startsWith(`${folder}/`))).reverse();
}
