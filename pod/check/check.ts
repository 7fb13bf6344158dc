import { setTimeout as sleep } from 'node:timers/promises';
import { decode } from '../../api/cri.ts';
import { asRuntimeError } from '../../api/errors.ts';
import type { Checked, Problem } from '../../api/problem.ts';
import { releaseContainer } from '../container/release.ts';
import { KILL_TIMEOUT_MS, type PodContext } from '../context.ts';
import { everyCgroupDir } from '../../host/cgroup.ts';
import { tellSandbox } from '../sandbox/event.ts';
import { networkPod } from '../sandbox/network.ts';
import { hasProcess } from '../sandbox/plan.ts';
import { sweep } from '../sweep.ts';
import { judgeState, type StateKnown } from './judge.ts';
import { lookAtState, type StateAsk } from './look.ts';

/** Pause between two looks, for what has no turn of its own, in milliseconds. */
const settleMs = 250;

/** How long the change that an object is in may go on; then nothing is said of it. */
const turnMs = 10_000;

/** Checks pods and containers, and mends what it finds where that is wanted. What changes meanwhile is no problem: it is looked at twice. */
export async function* checkState(context: PodContext, { repair }: { repair: boolean }): AsyncGenerator<Checked> {
  let swept = false;
  for (const problem of await lastingProblems(context)) {
    if (!repair || problem.repair === '') {
      yield { ...problem, repaired: false, error: '' };
      continue;
    }
    try {
      if (isSwept(problem)) {
        if (!swept) await sweep(context);
        swept = true;
      } else {
        await mend(problem, context);
      }
      yield { ...problem, repaired: true, error: '' };
    } catch (error) {
      yield { ...problem, repaired: false, error: asRuntimeError(error).message };
    }
  }
}

/** What is wrong now with pods and containers, and was so a moment ago. */
export function lastingProblems(context: PodContext): Promise<Problem[]> {
  return lasting(context, async () => [...(await context.store.problems()), ...(await lackingNow(context))]);
}

/** The same without a look at the file of the records, for who has just read it. */
export function lastingLacks(context: PodContext): Promise<Problem[]> {
  return lasting(context, () => lackingNow(context));
}

async function lasting(context: PodContext, problemsNow: () => Promise<Problem[]>): Promise<Problem[]> {
  const first = await problemsNow();
  if (first.length === 0) return [];
  const changing = new Set(first.map(({ id }) => id));
  const turns = [...changing].map((id) => context.turns.run(id, async () => void changing.delete(id)));
  await Promise.race([Promise.all([...turns, sleep(settleMs)]), sleep(turnMs, undefined, { ref: false })]);
  const again = new Set((await problemsNow()).map(keyOf));
  return first.filter((problem) => again.has(keyOf(problem)) && !changing.has(problem.id)).map(whileRunning);
}

async function lackingNow(context: PodContext): Promise<Problem[]> {
  const seen = await lookAtState(askOf(context));
  // The records as they are now: what has come or gone during the look is nobody's orphan.
  return judgeState(seen, recordsOf(context));
}

/** A daemon has all records in memory and the file open, and goes on trying to reach a shim that is there. */
function whileRunning(problem: Problem): Problem {
  const { kind, what } = problem;
  if (kind === 'pod-shim') return { ...problem, what: `${what}; it is tried again and again`, repair: '' };
  if (kind !== 'state-file') return problem;
  return { ...problem, what: `${what}; the daemon goes on with what it has in memory: stop it and run berth check --offline --repair`, repair: '' };
}

function askOf(context: PodContext): StateAsk {
  return {
    ...recordsOf(context),
    cgroup: context.cgroup,
    noted: () => context.network.noted(),
    // One that cannot be spoken with still holds its containers.
    answers: async ({ id }) => context.shims.state(id) !== 'lost',
    hasOwnCgroup: (container) => !hasProcess(context, container),
  };
}

function recordsOf({ roots, store }: PodContext): StateKnown {
  return { roots, sandboxes: [...store.sandboxes.all()], containers: [...store.containers.all()] };
}

function keyOf({ kind, id, path }: Problem): string {
  return JSON.stringify([kind, id, path]);
}

function isSwept({ kind }: Problem): boolean {
  return kind === 'orphan-shim' || kind === 'orphan-network' || kind === 'orphan-pod' || kind === 'orphan-container';
}

async function mend(problem: Problem, context: PodContext): Promise<void> {
  const { kind, id, path } = problem;
  const { engine, store, turns } = context;
  const container = store.containers.get(id);
  if (kind === 'state-record') store.mend(problem);
  else if (kind === 'orphan-mount') await engine.call('removeTrees', { unmount: [path], remove: [] });
  else if (kind === 'orphan-cgroup') await engine.call('removeCgroup', { dirs: everyCgroupDir(context.cgroup.host, path), timeoutMs: KILL_TIMEOUT_MS });
  else if (kind === 'container-pod' && container) await turns.run(id, () => releaseContainer(context, container));
  else await turns.run(id, () => mendPod(kind, id, context));
}

async function mendPod(kind: Problem['kind'], id: string, context: PodContext): Promise<void> {
  const sandbox = context.store.sandboxes.get(id);
  if (sandbox?.state !== 'ready') return;
  if (kind === 'pod-netns') tellSandbox(context, 'pod.stopped', context.store.sandboxes.put({ ...sandbox, state: 'stopped' }));
  if (kind === 'pod-network' && sandbox.attachment) context.network.note(networkPod(context, sandbox, decode('PodSandboxConfig', sandbox.config)), sandbox.attachment);
}
