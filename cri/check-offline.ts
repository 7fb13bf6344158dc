import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { isKind, RuntimeError, whileDoing } from '../api/errors.ts';
import type { Log, Meter } from '../api/observe.ts';
import { type CheckCounts, type Checked, countsText, type Problem, problemText } from '../api/problem.ts';
import { hierarchies } from '../host/cgroup.ts';
import { orIfMissing } from '../host/files.ts';
import { holdDirectory } from '../host/lock.ts';
import { startEngine } from '../host/spawn-engine.ts';
import { contentFault } from '../image/check/content.ts';
import { judgeStore, layerProblem, type StoreKnown } from '../image/check/judge.ts';
import { lookAtStore, type StoreSeen } from '../image/check/look.ts';
import { hexOf } from '../image/layers/places.ts';
import { judgeState } from '../pod/check/judge.ts';
import { lookAtState, type StateAsk } from '../pod/check/look.ts';
import { readState, rescueState } from '../pod/check/state-file.ts';
import { podPaths } from '../pod/paths.ts';
import type { CheckAsk, Config } from './config.ts';
import { checkReplies } from './control-check.ts';
import { bootId, startDaemon, users } from './daemon.ts';

/** What the process ends with; 2 when it could not look. */
const exitCode = { clean: 0, problems: 1 } as const;

/**
 * Verifies what a daemon that does not run has left, and prints each problem; nothing is touched unless `repair` is asked.
 * Returns the exit code. Errors: `in-use` while a daemon runs there, `not-found`, `newer-format` for what a newer release wrote.
 */
export async function checkOffline(config: Config, ask: CheckAsk, print: (line: string) => void): Promise<number> {
  const { problems, counts } = await lookOffline(config, ask);
  const left = ask.repair && problems.length > 0 ? await repaired(config, ask) : problems.map(untouched);
  const found = ask.repair ? outcomes(problems, left) : left;
  for (const each of found) print(ask.json ? JSON.stringify(each) : problemText(each));
  if (!ask.json) print(countsText(counts, found));
  return found.length === 0 ? exitCode.clean : exitCode.problems;
}

async function lookOffline(config: Config, { full }: CheckAsk): Promise<{ problems: Problem[]; counts: CheckCounts }> {
  const release = holdWhatIsThere(config);
  try {
    const state = readState(config.state, bootId());
    const store = await lookAtStore(config.imageStore || config.root);
    const isElsewhere = (diffId: string): boolean => config.additionalImageStores.some((other) => existsSync(join(other, 'layers', hexOf(diffId))));
    const known: StoreKnown = { inMemory: [], holders: (id) => users(state.containers, id), isElsewhere, inFlight: () => false };
    const stored = judgeStore(store, known);
    const contents = full ? await lookAtContents(config, store, known) : { problems: [], unverified: 0 };
    const roots = { root: config.root, state: config.state, netnsDir: config.netnsDir };
    const seen = await lookAtState({ ...state, roots, ...outside(config) });
    return {
      problems: [...stored, ...contents.problems, ...state.problems, ...judgeState(seen, { ...state, roots })],
      counts: { images: store.records.stored.length, layers: store.layers.length, unverified: contents.unverified, pods: state.sandboxes.length, containers: state.containers.length },
    };
  } finally {
    release();
  }
}

/** Has an engine of its own read every layer that an image has. */
async function lookAtContents(config: Config, seen: StoreSeen, known: StoreKnown): Promise<{ problems: Problem[]; unverified: number }> {
  const images = seen.records.stored.map(({ image }) => image);
  const there = new Set(seen.layers.map(({ name }) => name));
  const found = { problems: [] as Problem[], unverified: 0 };
  const engine = await startEngine({ path: config.native, log: toStandardError, meter: unmeasured });
  try {
    for (const diffId of new Set(images.flatMap(({ layers }) => layers.filter((each) => there.has(hexOf(each)))))) {
      const fault = await contentFault(engine, seen.root, diffId, new AbortController().signal);
      if (fault === undefined) found.unverified++;
      else if (fault !== '') found.problems.push(...images.filter(({ layers }) => layers.includes(diffId)).map((image) => layerProblem({ kind: 'layer-content', image, diffId, fault }, seen, known)));
    }
  } finally {
    await engine.close();
  }
  return found;
}

/** What is not in a folder, as a daemon that does not run would see it. */
function outside(config: Config): Pick<StateAsk, 'cgroup' | 'noted' | 'answers' | 'hasOwnCgroup'> {
  const roots = { root: config.root, state: config.state, netnsDir: config.netnsDir };
  return {
    cgroup: { driver: config.cgroupDriver, host: hierarchies(readFileSync('/proc/self/mountinfo', 'utf8')) },
    noted: async () => (await orIfMissing(readdir(join(config.root, 'network')), [])).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length)),
    answers: ({ id }) => answers(podPaths(roots, id).socket),
    hasOwnCgroup: ({ handler }) => config.runtimes[handler || config.defaultRuntime]?.sandbox !== 'process',
  };
}

/** Whether somebody listens there; nothing is said, so a daemon that has to start soon finds all as it was. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => resolve(true));
    connection.once('error', () => resolve(false)).once('connect', () => connection.destroy());
  });
}

/** Takes the locks of a daemon's directories, so that none begins meanwhile. */
function holdWhatIsThere({ root, imageStore, state }: Config): () => void {
  if (!existsSync(root)) throw new RuntimeError('not-found', `there is no ${root}: name the daemon's own by --root`);
  const directories = new Set([root, ...(imageStore === '' ? [] : [imageStore]), ...(existsSync(join(state, 'state.db')) ? [state] : [])]);
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const end of releases) end();
  };
  try {
    for (const directory of directories) releases.push(holdDirectory(directory));
    return release;
  } catch (error) {
    release();
    throw isKind(error, 'in-use') ? new RuntimeError('in-use', 'a daemon runs there: have it look, by berth check without --offline', error) : whileDoing('cannot look', error);
  }
}

/** Has a daemon that serves nobody take up what is there, which sweeps, and mend the rest. What it finds then. */
async function repaired(config: Config, ask: CheckAsk): Promise<Checked[]> {
  const found: Checked[] = [];
  const release = holdWhatIsThere(config);
  try {
    if (readState(config.state, bootId()).problems.some(({ kind }) => kind === 'state-file')) rescueState(config.state, bootId());
  } finally {
    release();
  }
  const daemon = await startDaemon(config, { log: toStandardError, meter: unmeasured, publish: () => undefined });
  try {
    await daemon.takeUp();
    for await (const { problem } of checkReplies(daemon.context, ask, new AbortController().signal)) if (problem) found.push(problem as Checked);
    await daemon.context.images.settled();
  } finally {
    await daemon.close();
  }
  return found;
}

/** What was found at first counts as repaired when it was not found again, or was repaired then. */
function outcomes(problems: readonly Problem[], left: readonly Checked[]): Checked[] {
  const key = ({ kind, id, path }: Problem): string => JSON.stringify([kind, id, path]);
  const later = new Map(left.map((each) => [key(each), each]));
  const before = problems.map((problem) => later.get(key(problem)) ?? { ...problem, repaired: true, error: '' });
  const known = new Set(problems.map(key));
  return [...before, ...left.filter((each) => !known.has(key(each)))];
}

function untouched(problem: Problem): Checked {
  return { ...problem, repaired: false, error: '' };
}

const quiet = (): void => undefined;
const say = (message: string, fields: object = {}): void => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const toStandardError: Log = { debug: quiet, info: quiet, warn: say, error: say };
const unmeasured: Meter = { stage: quiet, count: quiet, limit: quiet };
