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

/** How long the start waits for shims, in milliseconds; a slow one is met later, in the background. */
const MEET_LIMIT_MS = 3_000;

/** Pause before a shim that did not answer well is tried again, in milliseconds. */
const MEET_AGAIN_MS = 5_000;

/**
 * Takes up what an earlier daemon of this boot left: meets the shims that live and learns the exits that happened
 * meanwhile; undoes, in the background, what was half made.
 */
export async function recover(context: PodContext): Promise<void> {
  const sandboxes = [...context.store.sandboxes.all()];
  if (sandboxes.length === 0) return;
  const met = Promise.all(sandboxes.map((sandbox) => recoverSandbox(context, sandbox)));
  await Promise.race([met, sleep(MEET_LIMIT_MS, undefined, { ref: false })]);
  context.log.info('pods of an earlier start taken up', { pods: sandboxes.length });
}

/** Resolves when the shim is met or known to be gone; never rejects. */
async function recoverSandbox(context: PodContext, sandbox: Sandbox): Promise<void> {
  const shim = await meetShim(context, sandbox);
  if (shim === 'silent') {
    void sleep(MEET_AGAIN_MS, undefined, { ref: false }).then(() => recoverSandbox(context, sandbox));
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
 * slow, or speaks what this release does not, still has its containers.
 */
async function meetShim(context: PodContext, sandbox: Sandbox): Promise<'met' | 'gone' | 'silent'> {
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
    context.log.error('shim of a sandbox does not answer, trying again', {
      sandbox: sandbox.id, againInMs: MEET_AGAIN_MS, error: String(error),
    });
    return 'silent';
  }
}
