import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { isKind } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';
import type { OciRuntime } from '../api/shim.ts';
import { type CgroupDriver, cgroupsPath, childPath, containerLeaf, everyCgroupDir, type Hierarchies, parentPath } from '../host/cgroup.ts';
import type { Engine } from '../host/engine.ts';
import { lacking } from '../host/room.ts';
import { runRuntime } from './runtime-call.ts';
import { endCgroup } from './end-cgroup.ts';
import { finishAll } from './teardown.ts';

/** What a trial needs. */
export type TrialGround = {
  stateDir: string;
  /** The native binary; static, so it runs in an empty rootfs. */
  native: string;
  cgroup: { driver: CgroupDriver; host: Hierarchies };
  engine: Engine;
  log: Log;
};

/** Where trial containers are put: places that are there already, so that nothing has to be made for them, or ended. */
const PARENTS: Record<CgroupDriver, string> = { cgroupfs: '/', systemd: 'system.slice' };

/** Longest that a runtime may take to run a trial container, in milliseconds. */
export const TRIAL_TIMEOUT_MS = 20_000;

/** Longest that the delete after a failed trial may take, in milliseconds. */
const DELETE_TIMEOUT_MS = 5_000;

/**
 * Runs a container that does nothing; returns why that failed, or an empty text. What a failed one left is cleared away
 * in the background. A full state directory says nothing of the runtime: pods of before must be taken up. Throws `unavailable` when the engine ended meanwhile, which says nothing of the runtime.
 */
export async function trial(ground: TrialGround, name: string, candidate: OciRuntime): Promise<string> {
  const lack = lacking(statfsSync(ground.stateDir));
  if (lack !== undefined) {
    ground.log.warn('OCI runtime is taken without a trial, which would need room', { runtime: name, because: `${ground.stateDir} ${lack}` });
    return '';
  }
  const id = `trial-${name}-${randomBytes(4).toString('hex')}`;
  const bundle = `${ground.stateDir}/${id}`;
  mkdirSync(`${bundle}/rootfs`, { recursive: true, mode: 0o700 });
  writeFileSync(`${bundle}/config.json`, JSON.stringify(trialSpec(ground, id)));
  const why = await tried(ground, candidate, ['run', '--bundle', bundle, id]);
  if (why === '') rmSync(bundle, { recursive: true, force: true });
  else clearAway(ground, id, candidate);
  return why;
}

async function tried(ground: TrialGround, candidate: OciRuntime, words: string[]): Promise<string> {
  try {
    const { exitCode, stderr } = await runRuntime(ground.engine, candidate, words, TRIAL_TIMEOUT_MS);
    return exitCode === 0 ? '' : lastLine(stderr) || `exit code ${exitCode}`;
  } catch (error) {
    if (isKind(error, 'unavailable')) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** Clears away, in the background, what trials left that a killed daemon was at. */
export function clearTrials(ground: TrialGround, runtimeNamed: (name: string) => OciRuntime | undefined): void {
  for (const id of readdirSync(ground.stateDir)) {
    const name = /^trial-(.+)-[0-9a-f]+$/.exec(id)?.[1];
    if (name !== undefined) clearAway(ground, id, runtimeNamed(name));
  }
}

function clearAway(ground: TrialGround, id: string, candidate: OciRuntime | undefined): void {
  const { engine, cgroup, log, stateDir } = ground;
  const path = childPath(parentPath(cgroup.driver, PARENTS[cgroup.driver]), containerLeaf(cgroup.driver, id));
  const remove = [`${stateDir}/${id}`, ...(candidate ? [`${candidate.root}/${id}`] : [])];
  finishAll(`clear away ${id}`, [
    async () => candidate && runRuntime(engine, candidate, ['delete', '--force', id], DELETE_TIMEOUT_MS).catch(() => undefined),
    () => endCgroup(engine, everyCgroupDir(cgroup.host, path)),
    () => engine.call('removeTrees', { unmount: [], remove }),
  ]).catch((error: unknown) => log.warn('leftovers of a trial remain until the next start', { error: String(error) }));
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
}

/** The smallest OCI configuration (runtime-spec, config.md) that starts a process of ours. */
function trialSpec({ native, cgroup }: TrialGround, id: string): object {
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: ['/berth-native', 'true'], cwd: '/', env: [], noNewPrivileges: true },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/berth-native', type: 'bind', source: native, options: ['bind', 'ro'] },
    ],
    linux: {
      cgroupsPath: cgroupsPath(cgroup.driver, PARENTS[cgroup.driver], id),
      namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }],
    },
  };
}
