import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineCalls, EngineEvents } from '../api/engine.ts';
import { errorKind, RuntimeError } from '../api/errors.ts';
import { encodeFrame, frameReader, PROTOCOL, type Reply } from '../api/frame.ts';
import type { Log, Meter } from '../api/observe.ts';
import type { CallOptions, Engine } from './engine.ts';
import { pendingCalls } from './pending.ts';

/** Calls that may be made again when the engine died under them: doing them twice is doing them once. */
const repeatable: ReadonlySet<keyof EngineCalls> = new Set<keyof EngineCalls>([
  'hello', 'prepareState', 'releaseState', 'releasePod', 'unpinNetns', 'removeTrees', 'removeCgroup', 'sample', 'measure',
  'diskUsage', 'statfs', 'commitLayers', 'makeVolumes', 'findSources', 'notify', 'verifyLayer',
]);

/** One life of the engine process. */
type Life = {
  pid: number;
  isOver(): boolean;
  call(name: string, ask: object, options: CallOptions): Promise<Record<string, unknown>>;
  ended: Promise<string>;
  end(): void;
  kill(): void;
};

/** What is logged of its standard error at a time, in characters: it has nothing to say there unless it panics. */
const MAX_LAST_WORDS = 4096;

/** How long a new engine may take for its first answer, and an ending one for its end, in milliseconds. */
const HELLO_LIMIT_MS = 5_000;
/** Time to read an answer that came while this process was busy itself, in milliseconds. */
const READ_LIMIT_MS = 1_000;
const CLOSE_LIMIT_MS = 5_000;

/** How an engine ends whose limit of memory was lowered (RLIMIT_AS): a new one has this process' own again. */
const NO_MEMORY = 'exit code 12';

/** How an engine is started: `path` is the native binary. */
export type EngineOptions = {
  path: string;
  /** Made ready by every engine before all else, once the engine of an earlier daemon has ended its work there. */
  stateDir?: string;
  log: Log;
  meter: Meter;
};

/** Starts the engine and keeps one running until `close`. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { log, meter } = options;
  let closing = false;
  let life = await live(options);
  let away = false;
  let next: Promise<Life> = Promise.resolve(life);
  const watch = (watched: Life): void => {
    void watched.ended.then((why) => {
      if (closing) return;
      away = true;
      log.error('engine ended, starting another', { pid: watched.pid, why });
      meter.count('engine_restarts');
      next = revive(options, () => closing);
      void next.then(
        (fresh) => {
          life = fresh;
          away = false;
          watch(fresh);
        },
        (error: unknown) => log.error('engine cannot be started', { error: String(error) }),
      );
    });
  };
  watch(life);

  const call = async (name: keyof EngineCalls, ask: object, how: CallOptions = {}): Promise<unknown> => {
    how.signal?.throwIfAborted();
    const current = await next;
    how.signal?.throwIfAborted();
    try {
      return await current.call(name, ask, how);
    } catch (error) {
      const interrupted = error instanceof RuntimeError && current.isOver() && !closing;
      if (!interrupted || !repeatable.has(name)) throw error;
      return (await next).call(name, ask, how);
    }
  };
  return {
    call: call as Engine['call'],
    pid: () => life.pid,
    away: () => away,
    close: async () => {
      closing = true;
      life.end();
      const kill = setTimeout(life.kill, CLOSE_LIMIT_MS);
      await life.ended;
      clearTimeout(kill);
    },
  };
}

async function revive(options: EngineOptions, closing: () => boolean): Promise<Life> {
  for (let waitMs = 10; ; waitMs = Math.min(waitMs * 2, 5_000)) {
    try {
      return await live(options);
    } catch (error) {
      if (closing()) throw error;
      options.log.error('engine did not start', { error: String(error), againInMs: waitMs });
      await sleep(waitMs);
    }
  }
}

async function live(options: EngineOptions): Promise<Life> {
  // A session of its own: what a terminal sends to the daemon's process group is not meant for the engine.
  // And streams of its own: a child makes those that it inherits block, then a log that is not read blocks the daemon.
  const child = spawn(options.path, ['engine'], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], detached: true });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    options.log.error('engine says', { text: text.trim().slice(0, MAX_LAST_WORDS) });
  });
  const socket = child.stdio[3] as unknown as Duplex;
  const pending = pendingCalls('engine');
  const listening = new Map<number, CallOptions>();
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`cannot execute ${options.path}: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  void ended.then((why) => {
    over = true;
    if (why === NO_MEMORY) pending.fail('the engine had been left less memory than it was started with and is replaced: try again', 'exhausted');
    else pending.fail(`the engine ended (${why})`);
  });
  socket.on('error', (error) => options.log.debug('engine socket', { error: error.message }));

  const reader = frameReader();
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const message of reader.feed(chunk)) {
        if ('event' in message) onEvent(message as { event: string });
        else pending.settle(message as Reply);
      }
    } catch (error) {
      options.log.error('engine sends what is no frame, it is killed', { error: String(error) });
      child.kill('SIGKILL');
    }
  });
  const send = (frame: object): void => void socket.write(encodeFrame(frame));
  const onEvent = (message: { event: string }): void => {
    if (message.event === 'progress') {
      const { of, bytes } = message as unknown as EngineEvents['progress'];
      listening.get(of)?.onProgress?.(BigInt(bytes));
    } else if (message.event === 'sourceLost') {
      void giveSource(message as unknown as EngineEvents['sourceLost']);
    } else if (message.event === 'log') {
      const { level, message: text } = message as unknown as EngineEvents['log'];
      options.log[level]?.(text, { from: 'engine' });
    }
  };
  const giveSource = async ({ of, bytes, kind, message }: EngineEvents['sourceLost']): Promise<void> => {
    const error = new RuntimeError(errorKind(kind), message);
    const source = await listening.get(of)?.onSourceLost?.(error, BigInt(bytes)).catch(() => undefined);
    await pending.ask('giveSource', { of, source: source ?? null }, send).answer.catch(() => undefined);
  };
  const call = async (name: string, ask: object, how: CallOptions): Promise<Record<string, unknown>> => {
    const { id, answer } = pending.ask(name, ask, send);
    const cancel = (): void => void pending.ask('cancel', { of: id }, send).answer.catch(() => undefined);
    how.signal?.addEventListener('abort', cancel, { once: true });
    listening.set(id, how);
    try {
      return await answer;
    } finally {
      how.signal?.removeEventListener('abort', cancel);
      listening.delete(id);
    }
  };
  let late = setTimeout(() => {
    late = setTimeout(() => child.kill('SIGKILL'), READ_LIMIT_MS);
  }, HELLO_LIMIT_MS);
  const hello = await call('hello', { protocol: PROTOCOL }, {}).finally(() => clearTimeout(late));
  if (hello['protocol'] !== PROTOCOL) {
    child.kill();
    throw new RuntimeError('unsupported', `engine speaks protocol ${hello['protocol']}, berthd ${PROTOCOL}: install both from one release`);
  }
  const life = { pid: child.pid ?? 0, isOver: () => over, call, ended, end: () => void socket.end(), kill: () => void child.kill('SIGKILL') };
  await prepare(options, life);
  return life;
}

async function prepare({ stateDir, log }: EngineOptions, life: Life): Promise<void> {
  if (stateDir === undefined) return;
  try {
    const { mounted } = await life.call('prepareState', { dir: stateDir }, {});
    if (mounted) log.info('state directory is a new tmpfs', { state: stateDir });
  } catch (error) {
    life.kill();
    throw error;
  }
}
