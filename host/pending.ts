import { type ErrorKind, errorKind, RuntimeError } from '../api/errors.ts';
import type { Ask, Reply } from '../api/frame.ts';

/** What a call in flight is told: its answer, or why there will be none. */
type Waiter = { call: string; resolve: (ok: Record<string, unknown>) => void; reject: (error: RuntimeError) => void };

/** The calls of one connection that wait for their answer. */
export type Pending = {
  /** Numbers the call, hands its frame to `send` and waits for the answer. Throws what `send` throws. */
  ask(call: string, ask: object, send: (frame: Ask) => void): { id: number; answer: Promise<Record<string, unknown>> };
  /** Settles the call that `reply` answers; an answer nobody waits for is dropped. */
  settle(reply: Reply): void;
  /** Fails every call in flight, as `unavailable` if no other kind is given. */
  fail(message: string, kind?: ErrorKind): void;
};

/** Calls in flight towards `peer` (named in errors). */
export function pendingCalls(peer: string): Pending {
  const waiters = new Map<number, Waiter>();
  let lastId = 0;
  return {
    ask(call, ask, send) {
      const id = ++lastId;
      const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
        waiters.set(id, { call, resolve, reject });
      });
      try {
        send({ ...ask, id, call });
      } catch (error) {
        waiters.delete(id);
        throw error;
      }
      return { id, answer };
    },
    settle(reply) {
      const waiter = waiters.get(reply.id);
      if (!waiter) return;
      waiters.delete(reply.id);
      if ('ok' in reply) waiter.resolve(reply.ok);
      else waiter.reject(new RuntimeError(errorKind(reply.error.kind), reply.error.message));
    },
    fail(message, kind = 'unavailable') {
      for (const waiter of waiters.values()) {
        waiter.reject(new RuntimeError(kind, `${peer}, ${waiter.call}: ${message}`));
      }
      waiters.clear();
    },
  };
}
