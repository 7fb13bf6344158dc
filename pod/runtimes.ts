import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeError } from '../api/errors.ts';
import type { OciRuntime } from '../api/shim.ts';
import { programPath } from '../host/program.ts';
import type { Handler, Runtimes } from './context.ts';
import { runRuntime } from './runtime-call.ts';
import type { Proofs } from './proofs.ts';
import { noFeatures, readFeatures, type RuntimeFeatures } from './runtime-features.ts';
import type { HandlerSettings } from './spec/input.ts';
import { clearTrials, trial, TRIAL_TIMEOUT_MS, type TrialGround } from './trial.ts';

/** Where OCI runtimes come from, and what a trial of one needs. */
export type RuntimeSearch = TrialGround & {
  proofs: Proofs;
  /** Programs by handler name, as configured. */
  configured: Readonly<Record<string, Program & HandlerSettings>>;
  /** Handler that must be the default; empty: the first that works. */
  defaultName: string;
  /** Names looked for on the PATH, in this order, when nothing is configured. */
  known: readonly string[];
};

/** An OCI runtime by its command line. With `sandbox` as process it runs a pod's containers inside one sandbox process. */
type Program = { path: string; args: readonly string[]; sandbox: 'none' | 'process' };

/** How long a trial may keep the next candidate waiting, in milliseconds. */
const PATIENCE_MS = 2_000;

/**
 * The OCI runtimes of this daemon. The default is the first candidate that runs a trial container, or has done so in
 * this boot; one that hangs is not waited for when another works. A runtime that fails its trial, be it later, is left
 * out and the log says why. Throws `unavailable` when none works.
 */
export async function findRuntimes(search: RuntimeSearch): Promise<Runtimes> {
  const byName = new Map<string, Handler>();
  const list = async (name: string, runtime: OciRuntime): Promise<void> => {
    const settings = { privilegedWithoutHostDevices: search.configured[name]?.privilegedWithoutHostDevices === true };
    byName.set(name, { runtime, features: noFeatures, settings });
    const features = await featuresOf(search, runtime);
    if (byName.has(name)) byName.set(name, { runtime, features, settings });
  };
  const asked = Object.entries(search.configured).map(([name, program]) => list(name, ociRuntime(search, name, program)));
  const candidate = (name: string): OciRuntime | undefined => byName.get(name)?.runtime ?? installed(search, name);
  clearTrials(search, candidate);
  const refused: string[] = [];
  const refuse = (name: string, why: string): void => {
    refused.push(`${name}${why}`);
    if (byName.delete(name)) search.log.error('OCI runtime left out: it failed its trial', { runtime: `${name}${why}` });
  };
  const names = candidates(search);
  const works = await firstThatWorks(names, PATIENCE_MS, async (name) => {
    const found = candidate(name);
    const why = found ? await proved(search, name, found) : 'not installed';
    if (why !== '') refuse(name, found ? ` (${found.path}): ${why}` : `: ${why}`);
    return why === '';
  });
  const chosen = works === undefined ? undefined : candidate(works);
  if (works === undefined || chosen === undefined) {
    throw new RuntimeError('unavailable', `no OCI runtime works here: ${refused.join('; ')}. Install runc, or name one with --runtime NAME=PATH`);
  }
  if (!byName.has(works)) asked.push(list(works, chosen));
  await Promise.race([Promise.all(asked), sleep(PATIENCE_MS, undefined, { ref: false })]);
  search.log.info('OCI runtime chosen', { runtime: works, path: chosen.path, ...(refused.length > 0 && { refused: refused.join('; ') }) });
  return { byName, defaultName: works };
}

/**
 * The candidate whose attempt is first to succeed. An attempt begins when the one before it has failed, or has taken
 * `patienceMs`; those that have not ended when one succeeds go on by themselves. A rejected attempt counts as failed.
 */
export async function firstThatWorks<C>(
  candidates: readonly C[],
  patienceMs: number,
  attempt: (candidate: C) => Promise<boolean>,
): Promise<C | undefined> {
  const success = Promise.withResolvers<C>();
  const attempts: Promise<unknown>[] = [];
  let works: C | undefined;
  void success.promise.then((candidate) => (works = candidate));
  for (const candidate of candidates) {
    const ended = attempt(candidate).then((worked) => worked && success.resolve(candidate), () => undefined);
    attempts.push(ended);
    await Promise.race([success.promise, ended, sleep(patienceMs, undefined, { ref: false })]);
    if (works !== undefined) return works;
  }
  await Promise.race([success.promise, Promise.all(attempts)]);
  return works;
}

function candidates(search: RuntimeSearch): readonly string[] {
  if (search.defaultName !== '') return [search.defaultName];
  // One with sandbox processes is a choice of a pod: a trial without a pod's network says nothing of it.
  const plain = Object.keys(search.configured).filter((name) => search.configured[name]?.sandbox !== 'process');
  return [...plain, ...search.known.filter((name) => !(name in search.configured))];
}

/** Why the runtime does not work; an empty text when it does, be it by an earlier trial of this boot. */
async function proved(search: RuntimeSearch, name: string, runtime: OciRuntime): Promise<string> {
  if (search.proofs.of(runtime).works) return '';
  const why = await trial(search, name, runtime);
  if (why === '') search.proofs.add(runtime, { works: true });
  return why;
}

/** What the runtime says of itself; one that cannot be asked has no features, and fails when it is used. */
async function featuresOf({ engine, proofs }: RuntimeSearch, runtime: OciRuntime): Promise<RuntimeFeatures> {
  const said = proofs.of(runtime).features;
  if (said) return said;
  const reply = await runRuntime(engine, runtime, ['features'], TRIAL_TIMEOUT_MS).catch(() => undefined);
  if (reply?.exitCode !== 0) return noFeatures;
  const features = readFeatures(reply.stdout);
  proofs.add(runtime, { features });
  return features;
}

function ociRuntime(search: RuntimeSearch, name: string, { path, args, sandbox }: Program): OciRuntime {
  const systemdCgroup = search.cgroup.driver === 'systemd';
  return { path, args: [...args], root: `${search.stateDir}/oci/${name}`, systemdCgroup, sandboxed: sandbox === 'process' };
}

function installed(search: RuntimeSearch, name: string): OciRuntime | undefined {
  const path = programPath(name, ['/usr/local/sbin', '/usr/sbin', '/usr/bin']);
  return path === undefined ? undefined : ociRuntime(search, name, { path, args: [], sandbox: 'none' });
}
