import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Daemon } from '../harness/daemon.ts';
import type { Random } from '../harness/random.ts';
import type { Replies } from '../harness/replies.ts';
import type { Frail } from './programs.ts';
import type { Watch } from './watch.ts';

/** What all actors of a soak share. */
export type Soak = {
  readonly daemon: Daemon;
  readonly random: Random;
  readonly frail: Frail;
  readonly watch: Watch;
  /** Where its records lie, and the volumes of containers. */
  readonly directory: string;
  /** The most lines that a container writes; ten take a second. */
  readonly longest: number;
  /** True once everything is to come to its end. */
  over: boolean;
  /** True while the daemon is killed or restarted on purpose. */
  daemonAway: boolean;
  readonly counts: Map<string, number>;
  readonly problems: string[];
  readonly homes: Home[];
};
/** A place for one pod after the other; what lives there now. */
export type Home = {
  readonly name: string;
  readonly hostPort: number;
  /** Its pod stays for the whole run, and its shim is not killed. */
  readonly stays: boolean;
  pod: LivePod | undefined;
};
export type LivePod = { readonly id: string; shimKilled: boolean; stopped: boolean; running: LiveContainer | undefined };
export type LiveContainer = {
  readonly id: string;
  /** What it calls itself in its lines. */
  readonly name: string;
  readonly logPath: string;
  /** Files that its log was renamed to, oldest first. */
  readonly rotated: string[];
  /** Settles when nobody renames its log. */
  rotation: Promise<void>;
  stopped: boolean;
  ended: boolean;
};

/** How long a call may go on failing before that counts as a problem, ms. */
const PATIENCE_MS = 600_000;
const [firstWaitMs, longestWaitMs] = [100, 2000];

export function count(soak: Soak, what: string, by = 1): void {
  soak.counts.set(what, (soak.counts.get(what) ?? 0) + by);
}

/** Tells of something that must not be, at once. */
export function problem(soak: Soak, text: string): void {
  const line = `${new Date().toISOString()} ${text}`;
  soak.problems.push(line);
  console.log(`PROBLEM ${line}`);
  appendFileSync(join(soak.directory, 'problems.log'), `${line}\n`);
}

/** Calls until it succeeds, as the kubelet does; rejects with an error whose code is in `final`, or after ten minutes. */
export async function persist<M extends keyof Replies>(
  soak: Soak,
  method: M,
  request: object,
  final: readonly status[] = [],
): Promise<Replies[M]> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      return await soak.daemon.cri.call(method, request);
    } catch (error) {
      noteFailure(soak, method, error);
      if (final.includes(codeOf(error))) throw error;
      if (performance.now() > deadline) throw new Error(`${method} goes on failing: ${String(error)}`, { cause: error });
    }
    await sleep(waitMs);
  }
}

/** Counts a call that failed and keeps its message. */
export function noteFailure(soak: Soak, method: string, error: unknown): void {
  count(soak, 'failed calls');
  appendFileSync(join(soak.directory, 'calls.log'), `${new Date().toISOString()} ${method}: ${String(error)}\n`);
}

export function codeOf(error: unknown): status {
  return (error as { code?: status }).code ?? status.UNKNOWN;
}

/** Does `work` again and again until the soak is over, `pause` milliseconds apart; a failure is a problem. */
export async function again(soak: Soak, what: string, pause: () => number, work: () => Promise<void>): Promise<void> {
  while (!soak.over) {
    await work().catch((error: unknown) => problem(soak, `${what}: ${(error as Error).stack ?? String(error)}`));
    await sleep(pause());
  }
}
