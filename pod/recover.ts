import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../api/errors.ts';
import { containerExited } from './container/news.ts';
import { releaseOrRetry as releaseContainer } from './container/release.ts';
import { after } from './container/state.ts';
import type { PodContext } from './context.ts';
import { podPaths } from './paths.ts';
import type { Sandbox } from './record.ts';
import { sandboxLost } from './sandbox/lost.ts';
import { processEnded } from './sandbox/process.ts';
import { releaseOrRetry as releaseSandbox } from './sandbox/release.ts';
import { upgradeShims } from './shim/upgrade.ts';

/** Pause before a shim that did not answer well is tried again, in milliseconds. */
const MEET_AGAIN_MS = 5_000;

/** The pods of an earlier daemon of this boot, while they are being taken up. */
export type Recovery = {
  /**
   * Meets the shims that live, side by side, learns the exits that happened meanwhile and undoes what was half made.
   * Resolves when each shim has been tried once; one that is slow is met later.
   */
  begin(): Promise<void>;
  /** Resolves when the sandbox's shim has been tried once: from then on its record is no older than the daemon. Never rejects. */
  takenUp(sandboxId: string): Promise<void>;
};

/** Knows from the records which pods there are to take up. */
export function recovery(context: PodContext): Recovery {
  const sandboxes = [...context.store.sandboxes.all()];
  const begun = Promise.withResolvers<void>();
  const tries = new Map(sandboxes.map((sandbox) => [sandbox.id, begun.promise.then(() => recoverSandbox(context, sandbox))]));
  return {
    async begin() {
      begun.resolve();
      await Promise.all(tries.values());
      if (sandboxes.length > 0) context.log.info('pods of an earlier start taken up', { pods: sandboxes.length });
      tries.clear();
      void upgradeShims(context, sandboxes.map(({ id }) => id));
    },
    takenUp: async (sandboxId) => tries.get(sandboxId),
  };
}

/** Resolves when the shim is met or known to be gone; never rejects. */
async function recoverSandbox(context: PodContext, sandbox: Sandbox): Promise<void> {
  const shim = await meetShim(context, sandbox);
  if (shim === 'silent' || shim === 'foreign') {
    void sleep(MEET_AGAIN_MS, undefined, { ref: false }).then(async () => {
      await recoverSandbox(context, sandbox);
      await upgradeShims(context, [sandbox.id]);
    });
    return;
  }
  const { log, store, turns } = context;
  if (sandbox.state === 'creating') {
    void turns.run(sandbox.id, () => releaseSandbox(context, sandbox));
    return;
  }
  for (const half of store.containersOf(sandbox.id).filter((container) => container.state === 'creating')) {
    void turns.run(half.id, () => releaseContainer(context, half));
  }
  if (shim === 'gone') {
    await sandboxLost(context, sandbox.id).catch((error: unknown) =>
      log.error('a sandbox that lost its shim cannot be settled', { sandbox: sandbox.id, error: String(error) }),
    );
  }
}

/**
 * Connects to the sandbox's shim and applies what it holds. `gone` only when nobody listens any more: a shim that is
 * slow still has its containers; one that speaks what this release does not is `foreign`, and left alone.
 */
async function meetShim(context: PodContext, sandbox: Sandbox): Promise<'met' | 'gone' | 'silent' | 'foreign'> {
  const before = context.shims.state(sandbox.id);
  try {
    // Records of an older release have no number.
    const sinceSeq = Math.max(0, ...context.store.containersOf(sandbox.id).map((container) => container.exitSeq ?? 0));
    const shim = await context.shims.open(sandbox.id, podPaths(context.roots, sandbox.id).socket, sinceSeq);
    context.log.debug('shim is met', { sandbox: sandbox.id, sinceSeq, seq: shim.hello.seq });
    for (const held of shim.hello.containers) {
      if (held.id === sandbox.id && held.exit) processEnded(context, sandbox.id);
      const container = context.store.containers.get(held.id);
      if (!container || container.state === 'creating') continue;
      if (container.startedAtNs === '0' && held.startedAtNs !== '0') {
        context.store.containers.put(after(container, { type: 'started', atNs: held.startedAtNs }));
      }
      if (held.exit) containerExited(context, { container: held.id, pid: held.pid, seq: 0, ...held.exit });
    }
    return 'met';
  } catch (error) {
    if (isKind(error, 'unavailable')) return 'gone';
    if (isKind(error, 'wrong-state')) {
      if (before !== 'foreign') context.log.error('shim of a sandbox speaks no protocol of this release: the sandbox is left as it is', {
        sandbox: sandbox.id, error: error.message,
      });
      return 'foreign';
    }
    context.log.error('shim of a sandbox does not answer, trying again', {
      sandbox: sandbox.id, againInMs: MEET_AGAIN_MS, error: String(error),
    });
    return 'silent';
  }
}
