import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { RuntimeError } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';
import type { OciRuntime } from '../api/shim.ts';
import { type CgroupDriver, cgroupsPath } from '../host/cgroup.ts';
import type { Engine } from '../host/engine.ts';
import type { Handler, Runtimes } from './context.ts';
import { runRuntime } from './runtime-call.ts';
import { noFeatures, readFeatures, type RuntimeFeatures } from './runtime-features.ts';

/** Where OCI runtimes come from, and what a trial of one needs. */
export type RuntimeSearch = {
  /** Programs by handler name, as configured. */
  configured: Readonly<Record<string, { path: string; args: readonly string[] }>>;
  /** Handler that must be the default; empty: the first that works. */
  defaultName: string;
  /** Names looked for on the PATH, in this order, when nothing is configured. */
  known: readonly string[];
  stateDir: string;
  /** The native binary; static, so it runs in an empty rootfs. */
  native: string;
  cgroup: { driver: CgroupDriver; parent: string };
  engine: Engine;
  log: Log;
};

/** Longest that a trial container may take, in milliseconds. */
const TRIAL_TIMEOUT_MS = 20_000;

/**
 * The OCI runtimes of this daemon. The default is the first candidate that runs a trial container; why others were
 * refused is logged. Throws `unavailable` when none works.
 */
export async function findRuntimes(search: RuntimeSearch): Promise<Runtimes> {
  const configured = Object.entries(search.configured).map(([name, { path, args }]) => handler(search, name, path, args));
  const byName = new Map<string, Handler>(await Promise.all(configured));
  const refused: string[] = [];
  for (const name of candidates(search)) {
    const path = byName.get(name)?.runtime.path ?? onPath(name);
    if (path === undefined) {
      refused.push(`${name}: not installed`);
      continue;
    }
    const candidate = byName.get(name) ?? (await handler(search, name, path, []))[1];
    const why = await trial(search, name, candidate.runtime);
    if (why === '') {
      byName.set(name, candidate);
      search.log.info('OCI runtime chosen', { runtime: name, path, ...(refused.length > 0 && { refused: refused.join('; ') }) });
      return { byName, defaultName: name };
    }
    refused.push(`${name} (${path}): ${why}`);
  }
  throw new RuntimeError('unavailable', `no OCI runtime works here: ${refused.join('; ')}. Install runc, or name one with --runtime NAME=PATH`);
}

function candidates(search: RuntimeSearch): readonly string[] {
  if (search.defaultName !== '') return [search.defaultName];
  return [...Object.keys(search.configured), ...search.known.filter((name) => !(name in search.configured))];
}

async function handler(search: RuntimeSearch, name: string, path: string, args: readonly string[]): Promise<[string, Handler]> {
  const runtime = { path, args: [...args], root: `${search.stateDir}/oci/${name}`, systemdCgroup: search.cgroup.driver === 'systemd' };
  return [name, { runtime, features: await featuresOf(search, runtime) }];
}

/** What the runtime says of itself; one that cannot be asked has no features, and fails when it is used. */
async function featuresOf({ engine }: RuntimeSearch, runtime: OciRuntime): Promise<RuntimeFeatures> {
  const reply = await runRuntime(engine, runtime, ['features'], TRIAL_TIMEOUT_MS).catch(() => undefined);
  return reply?.exitCode === 0 ? readFeatures(reply.stdout) : noFeatures;
}

function onPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/usr/bin'];
  return folders.map((folder) => `${folder}/${name}`).find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a container that does nothing; returns why that failed, or an empty text. */
async function trial(search: RuntimeSearch, name: string, candidate: OciRuntime): Promise<string> {
  const id = `trial-${name}-${process.pid}`;
  const bundle = `${search.stateDir}/${id}`;
  const run = (words: string[]) => runRuntime(search.engine, candidate, words, TRIAL_TIMEOUT_MS);
  mkdirSync(`${bundle}/rootfs`, { recursive: true, mode: 0o700 });
  writeFileSync(`${bundle}/config.json`, JSON.stringify(trialSpec(search, id)));
  try {
    const { exitCode, stderr } = await run(['run', '--bundle', bundle, id]);
    if (exitCode === 0) return '';
    await run(['delete', '--force', id]);
    return lastLine(stderr) || `exit code ${exitCode}`;
  } catch (error) {
    return String(error instanceof Error ? error.message : error);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
}

/** The smallest OCI configuration (runtime-spec, config.md) that starts a process of ours. */
function trialSpec(search: RuntimeSearch, id: string): object {
  return {
    ociVersion: '1.0.2',
    process: { user: { uid: 0, gid: 0 }, args: ['/berth-native', 'true'], cwd: '/', env: [], noNewPrivileges: true },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/berth-native', type: 'bind', source: search.native, options: ['bind', 'ro'] },
    ],
    linux: {
      cgroupsPath: cgroupsPath(search.cgroup.driver, search.cgroup.parent, id),
      namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }],
    },
  };
}
