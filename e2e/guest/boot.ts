import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { textOf } from '../harness/files.ts';
import { cache, repository } from '../harness/paths.ts';

/** Longest from the start of the kernel to the first word of the job, on a machine that is busy. */
const BOOT_LIMIT_MS = 180_000;
/** Longest from the end of the job's output to the end of the kernel. */
const HALT_LIMIT_MS = 30_000;
/** What the job says first. */
const UP = 'guest is up\n';

/** What runs in the guest. */
export type Job = {
  /** A bash script. The checkout and the cache are there at their own paths, read-only. */
  readonly script: string;
  /** Longest that it may run, in milliseconds. */
  readonly limitMs: number;
  /** Takes its output as it comes. */
  readonly show: (text: string) => void;
  /** Words for the kernel's command line, e.g. the security module. Default: AppArmor. */
  readonly kernel?: readonly string[];
};

/** The directory of kernel and root file system, built first when absent; undefined, with the reason on stderr, where no guest can run. */
export function guestImage(): string | undefined {
  const build = spawnSync(join(repository, 'e2e/guest/build'), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (build.status === 0) return build.stdout.trim();
  if (build.status === 3) return undefined;
  throw new Error('e2e/guest/build failed; see its output above');
}

/**
 * Boots a User-Mode Linux guest with systemd, cgroup version 2 and all capabilities, runs the job and returns its exit
 * status. Nothing of the guest stays: its disk is a throw-away layer over the image. Throws when it does not boot in
 * time, when the job takes too long (both with the end of the kernel's log), or when `signal` is aborted.
 */
export async function runInGuest(directory: string, job: Job, signal?: AbortSignal): Promise<number> {
  const shared = mkdtempSync(join(tmpdir(), 'berth-guest-'));
  const bootLog = join(shared, 'boot.log');
  writeFileSync(join(shared, 'job'), `echo -n '${UP}'\n${job.script}`);
  writeFileSync(join(shared, 'folders'), `${repository}\n${cache}\n`);
  const guest = start(directory, shared, bootLog, job.kernel ?? ['apparmor=1', 'security=apparmor']);
  try {
    await watch(guest, job, signal);
    const status = textOf(join(shared, 'status')).trim();
    if (status === '') throw new Error('it ended before the job did');
    return Number(status);
  } catch (error) {
    const tail = readFileSync(bootLog, 'utf8').split('\n').slice(-30).join('\n');
    throw new Error(`guest: ${(error as Error).message}; the end of the kernel's log:\n${tail}`, { cause: error });
  } finally {
    end(guest);
    rmSync(shared, { recursive: true, force: true });
  }
}

/**
 * Runs the command line, which makes itself a process group. When descriptor 4 is closed before its end, also because
 * who holds its other side was killed, ends all of that group and removes the folder.
 */
const guarded = `
"$@" 4<&- &
guest=$!
(exec >&- 2>&- 3>&-; read -r <&4; kill -KILL $guest -$guest; rm -rf "$0") &
exec 3>&- 4<&-
wait $guest
kill $!`;

/** The kernel with its console in `bootLog`, the serial line of the job on descriptor 3. */
function start(directory: string, shared: string, bootLog: string, kernel: readonly string[]): ChildProcess {
  const console = openSync(bootLog, 'w');
  const args = [
    'mem=3G',
    `ubd0=${shared}/disk,${directory}/root.img`,
    'root=/dev/ubda',
    'rw',
    'con=null',
    'con0=null,fd:1',
    'ssl0=null,fd:3',
    'quiet',
    ...kernel,
    `uml_dir=${shared}`,
    'umid=guest',
    `guest-job=${shared}`,
  ];
  const guest = spawn('bash', ['-c', guarded, shared, join(directory, 'linux.uml'), ...args], {
    stdio: ['ignore', console, console, 'pipe', 'pipe'],
    detached: true,
  });
  closeSync(console);
  return guest;
}

/** Resolves when the guest has ended by itself; rejects when a limit is passed first. */
function watch(guest: ChildProcess, job: Job, signal: AbortSignal | undefined): Promise<void> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const limit = (ms: number, what: string) =>
      setTimeout(() => {
        reject(new Error(`${what} within ${ms / 1000} s`));
      }, ms);
    let timer = limit(BOOT_LIMIT_MS, 'it did not boot');
    const next = (ms: number, what: string) => {
      clearTimeout(timer);
      timer = limit(ms, what);
    };
    const serial = guest.stdio[3] as Readable;
    let early = '';
    serial.setEncoding('utf8').on('data', (text: string) => {
      if (early === UP) return job.show(text);
      early += text;
      if (!early.startsWith(UP)) return;
      next(job.limitMs, 'the job did not end');
      job.show(`guest: up after ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
      if (early.length > UP.length) job.show(early.slice(UP.length));
      early = UP;
    });
    serial.once('end', () => {
      next(HALT_LIMIT_MS, 'the kernel did not end');
    });
    signal?.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
    guest.once('error', reject);
    guest.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Kills the kernel, when it runs, with the processes that it runs the guest's in. */
function end(guest: ChildProcess): void {
  (guest.stdio[4] as Writable).destroy();
}
