/** One client at work: owns every handle that is there for it, and ends them all at once. */
export type Session = {
  /** Aborts when the session ends; the reason says why. */
  signal: AbortSignal;
  /** Destroys the handle with the session, at once when that is over. */
  own(handle: Handle): void;
  /** Bytes moved: the idle time starts anew. */
  touch(): void;
  /** Called at every check, to find out whether the client is still there. */
  onBeat(beat: () => void): void;
  /** Ends it; once. */
  end(reason: string): void;
};

/** Something that has to be closed, such as a socket. */
export type Handle = { destroy(): unknown; once(event: 'close', listener: () => void): unknown };

export type SessionLimits = {
  /** Longest time without a byte. */
  idleMs: number;
  /** Longest time at all. */
  totalMs: number;
  /** Time between two looks at the others. */
  beatMs: number;
};

/** Starts a session; `onEnd` is told the reason of its end. */
export function openSession(limits: SessionLimits, onEnd: (reason: string) => void): Session {
  const abort = new AbortController();
  const handles = new Set<Handle>();
  const startedMs = performance.now();
  let activeMs = startedMs;
  let beat = (): void => undefined;

  function end(reason: string): void {
    if (abort.signal.aborted) return;
    clearInterval(timer);
    abort.abort(new Error(reason));
    for (const handle of handles) handle.destroy();
    onEnd(reason);
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - activeMs >= limits.idleMs) end(`idle for ${limits.idleMs / 1000} s`);
    else if (nowMs - startedMs >= limits.totalMs) end(`open for ${limits.totalMs / 1000} s`);
    else beat();
  }, limits.beatMs).unref();

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
  };
}
