import type { Exit } from '../../api/shim.ts';
import type { Container } from '../record.ts';

/** What can happen to a container's process. */
export type ProcessEvent =
  | { type: 'created'; pid: number }
  | { type: 'started'; atNs: string }
  | { type: 'exited'; exit: Exit; seq: number }
  /** `exit` where it is known all the same. */
  | { type: 'lost'; message: string; atNs: string; exit?: Exit };

/** An end whose code nobody saw. */
export const UNKNOWN_EXIT_CODE = 255;

/**
 * The container after `event`. Events may overtake each other: a process can end before its creation or its start
 * is told, and an end is final. The same record comes back when nothing changes.
 */
export function after(container: Container, event: ProcessEvent): Container {
  switch (event.type) {
    case 'created':
      return { ...container, pid: event.pid, state: container.exit ? 'exited' : 'created' };
    case 'started':
      return { ...container, startedAtNs: event.atNs, state: container.exit ? 'exited' : 'running' };
    case 'exited':
      if (container.exit) return container;
      return { ...container, exit: notBefore(container, event.exit), exitSeq: event.seq, state: container.state === 'creating' ? 'creating' : 'exited' };
    case 'lost': {
      if (container.exit) return container;
      const exit = event.exit ?? { exitCode: UNKNOWN_EXIT_CODE, signal: 0, oomKilled: false, finishedAtNs: event.atNs };
      const message = event.exit ? event.message : `${event.message}; nobody knows its exit code`;
      return { ...container, exit, message, state: 'exited' };
    }
  }
}

/** A clock that was stepped back between start and end would have the end come first. */
function notBefore({ startedAtNs }: Container, exit: Exit): Exit {
  return BigInt(exit.finishedAtNs) < BigInt(startedAtNs) ? { ...exit, finishedAtNs: startedAtNs } : exit;
}
