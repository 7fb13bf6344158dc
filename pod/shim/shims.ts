import { RuntimeError } from '../../api/errors.ts';
import type { ShimEvents } from '../../api/shim.ts';
import { connectShim, type NumberedExit, type Shim } from './client.ts';

/** The control connections to all shims, by sandbox id. */
export type Shims = {
  /** Connects to the sandbox's shim and asks for the news after `sinceSeq`. Throws `unavailable` when it is gone. */
  open(sandboxId: string, socket: string, sinceSeq: number): Promise<Shim>;
  /** The open connection. Throws `unavailable` when there is none. */
  of(sandboxId: string): Shim;
  /** Whether there is an open connection. */
  serves(sandboxId: string): boolean;
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
  return {
    async open(sandboxId, socket, sinceSeq) {
      const shim = await connectShim(socket, sinceSeq, {
        onExit: (event) => news.exited(sandboxId, event),
        onLogLost: news.logLost,
        onGone: () => {
          if (shims.delete(sandboxId)) news.lost(sandboxId);
        },
      });
      shims.set(sandboxId, shim);
      return shim;
    },
    of(sandboxId) {
      const shim = shims.get(sandboxId);
      if (!shim) {
        throw new RuntimeError('unavailable', `sandbox ${sandboxId} has lost its shim: stop and remove the pod, the kubelet makes another`);
      }
      return shim;
    },
    serves: (sandboxId) => shims.has(sandboxId),
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
