import { isKind, RuntimeError, whileDoing } from '../../api/errors.ts';
import type { ShimEvents } from '../../api/shim.ts';
import { connectShim, type NumberedExit, type Shim } from './client.ts';

/** The control connections to all shims, by sandbox id. */
export type Shims = {
  /** Connects to the sandbox's shim and asks for the news after `sinceSeq`. Throws as `connectShim`; on `wrong-state` the shim counts as foreign. */
  open(sandboxId: string, socket: string, sinceSeq: number): Promise<Shim>;
  /** The open connection. Throws `unavailable` when there is none, as `check` for a foreign shim. */
  of(sandboxId: string): Shim;
  /** Throws why nothing may be done to the sandbox, if its shim is foreign: it is left alone, with all that it holds. */
  check(sandboxId: string): void;
  /** Whether there is an open connection, none any more, or a shim that cannot be spoken with. */
  state(sandboxId: string): 'serving' | 'lost' | 'foreign';
  /** Gives up a shim that does not answer: news of it is as if it had ended. */
  abandon(sandboxId: string): void;
  /** Hands the connection over: its end is no news any more. Undefined when there is none. */
  take(sandboxId: string): Shim | undefined;
  closeAll(): void;
};

/** What the pod core does about the news of shims. */
export type ShimNews = {
  exited(sandboxId: string, event: NumberedExit): void;
  lost(sandboxId: string): void;
  logLost(event: ShimEvents['logLost']): void;
};

/** No connections yet; news of each shim goes to `news`. */
export function shimConnections(news: ShimNews): Shims {
  const shims = new Map<string, Shim>();
  const foreign = new Map<string, RuntimeError>();
  const check = (sandboxId: string): void => {
    const because = foreign.get(sandboxId);
    if (because) throw because;
  };
  return {
    async open(sandboxId, socket, sinceSeq) {
      const listener = {
        onExit: (event: NumberedExit) => news.exited(sandboxId, event),
        onLogLost: news.logLost,
        onGone: () => {
          if (shims.delete(sandboxId)) news.lost(sandboxId);
        },
      };
      const shim = await connectShim(socket, sinceSeq, listener).catch((error: unknown) => {
        if (isKind(error, 'wrong-state')) foreign.set(sandboxId, whileDoing(`sandbox ${sandboxId}`, error));
        else foreign.delete(sandboxId);
        throw error;
      });
      foreign.delete(sandboxId);
      shims.set(sandboxId, shim);
      return shim;
    },
    check,
    of(sandboxId) {
      check(sandboxId);
      const shim = shims.get(sandboxId);
      if (!shim) {
        throw new RuntimeError('unavailable', `sandbox ${sandboxId} has lost its shim: stop and remove the pod, the kubelet makes another`);
      }
      return shim;
    },
    state: (sandboxId) => (shims.has(sandboxId) ? 'serving' : foreign.has(sandboxId) ? 'foreign' : 'lost'),
    abandon: (sandboxId) => shims.get(sandboxId)?.abandon(),
    take(sandboxId) {
      const shim = shims.get(sandboxId);
      shims.delete(sandboxId);
      return shim;
    },
    closeAll() {
      for (const shim of shims.values()) shim.close();
      shims.clear();
    },
  };
}
