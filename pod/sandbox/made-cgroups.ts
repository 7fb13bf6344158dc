import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { ancestors } from '../../host/cgroup.ts';
import { programPath, searchPath } from '../../host/program.ts';
import type { PodContext } from '../context.ts';
import type { Sandbox } from '../record.ts';

/** Longest that the service manager may take to end a slice, in milliseconds. */
const STOP_TIMEOUT_MS = 10_000;
/** Exit code of systemctl for a unit that is not loaded: no container was ever in that slice. */
const NOT_LOADED = 5;

/**
 * Records the sandbox, with those of its cgroup's ancestors that this runtime made: from now on they stay for it. What else
 * no two sandboxes may have is `chosen` in the same step as the record is put.
 */
export function claimCgroups(context: PodContext, sandbox: Sandbox, chosen: () => Partial<Sandbox>): Promise<Sandbox> {
  return inTurn(context, sandbox, async () =>
    context.store.sandboxes.put({ ...sandbox, ...chosen(), madeCgroups: madeCgroups(context, sandbox) }),
  );
}

/** No pod comes into a cgroup that is being removed: the end of a slice would be that of its containers. */
function inTurn<T>(context: PodContext, { cgroupParent }: Sandbox, work: () => Promise<T>): Promise<T> {
  return context.turns.run(`cgroup ${ancestors(cgroupParent).at(-1)}`, work);
}

/** Those of the pod's cgroup and its ancestors that no one but this runtime made. */
function madeCgroups(context: PodContext, sandbox: Sandbox): string[] {
  const mount = Object.values(context.cgroup.host.mounts)[0] ?? '';
  const ours = new Set([...context.store.sandboxes.all()].flatMap((other) => other.madeCgroups));
  return ancestors(sandbox.cgroupParent).filter((path) => ours.has(path) || !existsSync(`${mount}${path}`));
}

/**
 * Removes the pod cgroups that this runtime made and no other pod of its uses, what others put there stays, then lets
 * `forget` remove the record: until they are gone it says that they were made. A slice is ended too: the service manager,
 * which started it for the pod's scopes, never ends one by itself.
 */
export async function releaseCgroups(context: PodContext, sandbox: Sandbox, forget: () => void): Promise<void> {
  await inTurn(context, sandbox, async () => {
    await removeUnused(context, sandbox);
    forget();
  });
}

async function removeUnused(context: PodContext, { id, madeCgroups }: Sandbox): Promise<void> {
  const others = [...context.store.sandboxes.all()].filter((other) => other.id !== id);
  const used = new Set(others.flatMap((other) => ancestors(other.cgroupParent)));
  for (const path of madeCgroups.filter((made) => !used.has(made))) {
    const dirs = context.cgroup.host.all.map((mount) => `${mount}${path}`);
    await Promise.all(dirs.map((dir) => rmdir(dir).catch(() => undefined)));
    if (context.cgroup.driver === 'systemd' && !dirs.some((dir) => existsSync(dir))) await stopSlice(context, basename(path));
  }
}

/** Ends the unit of a slice whose cgroup was empty. */
async function stopSlice({ engine, log }: PodContext, slice: string): Promise<void> {
  try {
    const path = programPath('systemctl', ['/usr/bin', '/bin']);
    if (path === undefined) throw new Error('there is no systemctl on the PATH');
    const { exitCode, stderr } = await engine.call('run', {
      lane: 'runtime', path, args: ['stop', '--', slice], env: { PATH: searchPath() }, stdin: '', timeoutMs: STOP_TIMEOUT_MS,
    });
    if (exitCode !== 0 && exitCode !== NOT_LOADED) throw new Error(`${path} ended with ${exitCode}: ${stderr.trim().slice(0, 500)}`);
  } catch (error) {
    log.warn('slice that was made for a pod stays', { slice, error: String(error) });
  }
}
