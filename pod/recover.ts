import { releaseOrRetry as releaseContainer } from './container/release.ts';
import { containerExited } from './container/news.ts';
import { after } from './container/state.ts';
import type { PodContext } from './context.ts';
import { podPaths } from './paths.ts';
import type { Sandbox } from './record.ts';
import { sandboxLost } from './sandbox/lost.ts';
import { releaseOrRetry as releaseSandbox } from './sandbox/release.ts';

/**
 * Takes up what an earlier daemon of this boot left: undoes what it had half made, meets the shims that live and
 * learns the exits that happened meanwhile. Lists answer from the records before this has ended.
 */
export async function recover(context: PodContext): Promise<void> {
  const sandboxes = [...context.store.sandboxes.all()];
  await Promise.all(sandboxes.map((sandbox) => recoverSandbox(context, sandbox)));
  if (sandboxes.length > 0) context.log.info('pods of an earlier start taken up', { pods: sandboxes.length });
}

async function recoverSandbox(context: PodContext, sandbox: Sandbox): Promise<void> {
  const met = await meetShim(context, sandbox);
  if (sandbox.state === 'creating') {
    await releaseSandbox(context, sandbox);
    return;
  }
  const half = context.store.containersOf(sandbox.id).filter((container) => container.state === 'creating');
  await Promise.all(half.map((container) => releaseContainer(context, container)));
  if (!met) await sandboxLost(context, sandbox.id);
}

/** Connects to the sandbox's shim and applies what it holds; false when it is gone. */
async function meetShim(context: PodContext, sandbox: Sandbox): Promise<boolean> {
  try {
    const shim = await context.shims.open(sandbox.id, podPaths(context.roots, sandbox.id).socket);
    for (const held of shim.hello.containers) {
      const container = context.store.containers.get(held.id);
      if (!container || container.state === 'creating') continue;
      if (container.state === 'created' && held.startedAtNs !== '0') {
        context.store.containers.put(after(container, { type: 'started', atNs: held.startedAtNs }));
      }
      if (held.exit) containerExited(context, { container: held.id, pid: held.pid, ...held.exit });
    }
    return true;
  } catch (error) {
    context.log.debug('shim does not answer', { sandbox: sandbox.id, error: String(error) });
    return false;
  }
}
