import { Worker } from 'node:worker_threads';
import { errorKind, RuntimeError } from '../api/errors.ts';

/** One SQL statement with its values. */
export type Statement = { sql: string; values: (string | bigint)[] };
/** What the thread is sent, and what it answers. */
export type CommitAsk = { id: number; statements: Statement[] } | 'end';
export type CommitReply = { id: number; error?: { kind: string; message: string } };

/**
 * Durable commits to a SQLite file, from a thread of their own: a stalled disk never holds up the event loop. The
 * thread exists only while there is something to write.
 */
export type Writer = {
  /** Starts the thread ahead of a commit that will come soon. */
  prepare(): void;
  /** Commits all statements or none; resolves when they are on the disk. `exhausted` when it is full. */
  commit(statements: Statement[]): Promise<void>;
  /** Waits for the commits under way and ends the thread. */
  close(): Promise<void>;
};

const idleMs = 2_000;

/** A writer for the database at `path`. */
export function createWriter(path: string): Writer {
  let thread: Promise<Thread> | undefined;
  let gone: Promise<void> = Promise.resolve();
  let idle: NodeJS.Timeout | undefined;
  const commits = new Set<Promise<void>>();

  const running = (): Promise<Thread> => {
    clearTimeout(idle);
    thread ??= gone.then(() => startThread(path, () => (thread = undefined)));
    return thread;
  };
  const end = (): Promise<void> => {
    clearTimeout(idle);
    const ending = thread;
    thread = undefined;
    if (ending !== undefined) gone = ending.then((it) => it.end());
    return gone;
  };
  const rest = (): void => {
    clearTimeout(idle);
    if (commits.size === 0) idle = setTimeout(() => void end(), idleMs);
  };
  return {
    prepare() {
      void running();
      rest();
    },
    commit(statements) {
      const commit = running()
        .then((it) => it.commit(statements))
        .finally(() => {
          commits.delete(commit);
          rest();
        });
      commits.add(commit);
      return commit;
    },
    async close() {
      await Promise.allSettled(commits);
      await end();
    },
  };
}

type Thread = { commit(statements: Statement[]): Promise<void>; end(): Promise<void> };
type Waiter = { resolve: () => void; reject: (error: RuntimeError) => void };

const threadUrl = new URL(`./database-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
const heapLimits = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

function startThread(path: string, onEnd: () => void): Thread {
  const worker = new Worker(threadUrl, { workerData: path, resourceLimits: heapLimits });
  const waiters = new Map<number, Waiter>();
  let lastId = 0;
  let why = 'its thread ended';
  worker.on('message', ({ id, error }: CommitReply) => {
    const waiter = waiters.get(id);
    waiters.delete(id);
    if (error === undefined) waiter?.resolve();
    else waiter?.reject(new RuntimeError(errorKind(error.kind), `cannot write ${path}: ${error.message}`));
  });
  worker.on('error', (error) => (why = error instanceof Error ? error.message : String(error)));
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onEnd();
      for (const { reject } of waiters.values()) reject(new RuntimeError('internal', `cannot write ${path}: ${why}`));
      resolve();
    });
  });
  return {
    commit(statements) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const id = ++lastId;
      waiters.set(id, { resolve, reject });
      worker.postMessage({ id, statements } satisfies CommitAsk);
      return promise;
    },
    end() {
      worker.postMessage('end' satisfies CommitAsk);
      return ended;
    },
  };
}
