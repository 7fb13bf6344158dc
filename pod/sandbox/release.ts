import { decode } from '../../api/cri.ts';
import { timed } from '../../api/observe.ts';
import { isPinned } from '../../host/netns.ts';
import { releaseContainer } from '../container/release.ts';
import type { PodContext } from '../context.ts';
import { endCgroup } from '../end-cgroup.ts';
import { podPaths } from '../paths.ts';
import type { Sandbox } from '../record.ts';
import { finishAll, finishSideBySide, undoUntilDone } from '../teardown.ts';
import { tellSandbox } from './event.ts';
import { networkPod } from './network.ts';
import { shimCgroup } from './plan.ts';
import { endProcess } from './process.ts';
import { releaseCgroups } from './made-cgroups.ts';

/** Gives the network back: CNI DEL, then the pin, then the shim leaves the namespace so that it can end. Idempotent. */
export async function releaseNetwork(context: PodContext, sandbox: Sandbox): Promise<Sandbox> {
  if (sandbox.networkReleased || sandbox.namespaces.network === 'NODE') return sandbox;
  const config = decode('PodSandboxConfig', sandbox.config);
  const pod = networkPod(context, sandbox, config);
  await timed(context.meter, 'stop_pod', 'cni', () =>
    context.network.detach({ ...pod, netnsPath: isPinned(pod.netnsPath) ? pod.netnsPath : '' }, sandbox.attachment, new AbortController().signal),
  );
  await context.engine.call('unpinNetns', { path: pod.netnsPath });
  await leaveNetwork(context, sandbox);
  return context.store.sandboxes.put({ ...sandbox, networkReleased: true });
}

/** A shim that is gone has left its namespace already. */
async function leaveNetwork(context: PodContext, sandbox: Sandbox): Promise<void> {
  try {
    await context.shims.of(sandbox.id).call('leaveNetwork', {});
  } catch (error) {
    context.log.debug('shim did not leave the network namespace', { sandbox: sandbox.id, error: String(error) });
  }
}

/** Gives back everything that a sandbox holds, also one half made, and forgets it. Finishes every step, then reports all errors. */
export async function releaseSandbox(context: PodContext, sandbox: Sandbox): Promise<void> {
  const paths = podPaths(context.roots, sandbox.id);
  const cgroup = shimCgroup(context, sandbox);
  const containers = context.store.containersOf(sandbox.id);
  await finishAll(`release sandbox ${sandbox.id}`, [
    () => finishSideBySide('release containers', containers.map((container) => () => releaseContainer(context, container))),
    () => endProcess(context, sandbox),
    () => releaseNetwork(context, sandbox),
    () => endShim(context, sandbox),
    () => context.engine.call('releasePod', {
      shm: paths.shm, netnsPath: paths.netns, cgroup, directory: paths.directory, socket: paths.socket,
    }),
  ]);
  const last = context.store.sandboxes.get(sandbox.id);
  await releaseCgroups(context, sandbox, () => {
    context.network.forget(sandbox.id);
    context.store.sandboxes.remove(sandbox.id);
  });
  if (last && last.state !== 'creating') tellSandbox(context, 'pod.removed', last);
}

async function endShim(context: PodContext, sandbox: Sandbox): Promise<void> {
  const shim = context.shims.take(sandbox.id);
  try {
    await shim?.call('quit', {});
  } catch (error) {
    context.log.debug('shim is killed', { sandbox: sandbox.id, because: String(error) });
  } finally {
    shim?.close();
  }
  await endCgroup(context.engine, shimCgroup(context, sandbox));
}

/** Releases a sandbox that could not be made; what fails now is tried again until it succeeds, under its own id. */
export function releaseOrRetry(context: PodContext, sandbox: Sandbox): Promise<void> {
  const latest = (): Sandbox => context.store.sandboxes.get(sandbox.id) ?? sandbox;
  return undoUntilDone(context.log, `sandbox ${sandbox.id}`, () => releaseSandbox(context, latest()));
}
