import type { StreamingLimits } from './limits.ts';

/** One client at work: owns every handle that is there for it, and ends them all. */
export type Session = {
  /** Aborts when the session ends; the reason, an Error, says why. */
  signal: AbortSignal;
  /** Destroys the handle with the session, at once when that is over. */
  own(handle: Handle): void;
  /** Bytes moved: the idle time starts anew. */
  touch(): void;
  /** Called at every check, to find out whether the client is still there. */
  onBeat(beat: () => void): void;
  /** Ends it: what it owns at once, the client's connection a little later, so that the client can be told. */
  end(reason: string): void;
  /** Resolves when the client's connection is closed. */
  closed: Promise<void>;
};

/** Something that has to be closed, such as a socket. */
export type Handle = { destroy(): unknown; once(event: 'close', listener: () => void): unknown };

/** Those of the limits that end a session. */
export type SessionLimits = Pick<StreamingLimits, 'idleMs' | 'totalMs' | 'beatMs'>;

/** How long a client has to take what it is told at the end. */
const FAREWELL_MS = 1000;

/** Starts a session for an open connection of a client; ends with it at the latest. */
export function openSession(client: Handle, limits: SessionLimits): Session {
  const abort = new AbortController();
  const handles = new Set<Handle>();
  const startedMs = performance.now();
  let activeMs = startedMs;
  let beat = (): void => undefined;
  let farewell: NodeJS.Timeout | undefined;

  function end(reason: string): void {
    if (abort.signal.aborted) return;
    clearInterval(timer);
    abort.abort(new Error(reason));
    for (const handle of handles) handle.destroy();
    farewell = setTimeout(() => client.destroy(), FAREWELL_MS).unref();
  }

  const everyMs = limits.idleMs > 0 ? Math.min(limits.beatMs, limits.idleMs / 2) : limits.beatMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    if (limits.idleMs > 0 && nowMs - activeMs >= limits.idleMs) {
      end(`nothing came or went for ${limits.idleMs / 1000} s (limit idleMs)`);
    } else if (nowMs - startedMs >= limits.totalMs) end(`it was open for ${limits.totalMs / 1000} s (limit totalMs)`);
    else beat();
  }, everyMs).unref();

  const closed = new Promise<void>((resolve) => {
    client.once('close', () => {
      end('the client went away');
      clearTimeout(farewell);
      resolve();
    });
  });

  return {
    signal: abort.signal,
    own(handle) {
      if (abort.signal.aborted) {
        handle.destroy();
        return;
      }
      handles.add(handle);
      handle.once('close', () => handles.delete(handle));
    },
    touch: () => {
      activeMs = performance.now();
    },
    onBeat: (next) => {
      beat = next;
    },
    end,
    closed,
  };
}
