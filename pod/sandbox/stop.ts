import { timed } from '../../api/observe.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import { killContainer } from '../container/stop.ts';
import type { PodContext } from '../context.ts';
import type { Sandbox } from '../record.ts';
import { finishAll, finishSideBySide } from '../teardown.ts';
import { tellSandbox } from './event.ts';
import { endProcess } from './process.ts';
import { releaseNetwork } from './release.ts';

/** StopPodSandbox: kills the pod's containers and gives its network back. Idempotent; an unknown id is fine. */
export async function stopSandbox(context: PodContext, id: string, signal: AbortSignal): Promise<void> {
  const sandbox = context.store.sandboxes.find(id);
  if (!sandbox || sandbox.state === 'creating') return;
  await unlessAborted(context.turns.run(sandbox.id, () => stopInTurn(context, sandbox.id)), signal);
}

/** The same, for who has the sandbox's turn already; returns the record as it is then, if it still exists. */
export async function stopInTurn(context: PodContext, id: string): Promise<Sandbox | undefined> {
  const { store } = context;
  const sandbox = store.sandboxes.get(id);
  if (!sandbox) return undefined;
  context.shims.check(id);
  const first = sandbox.state === 'ready';
  const stopped = first ? store.sandboxes.put({ ...sandbox, state: 'stopped' }) : sandbox;
  const kills = store.containersOf(id).map((container) => () => killContainer(context, container.id));
  try {
    await finishAll(`stop sandbox ${id}`, [
      () => timed(context.meter, 'stop_pod', 'containers', () => finishSideBySide('kill containers', kills)),
      () => endProcess(context, stopped),
      () => releaseNetwork(context, stopped),
    ]);
  } finally {
    if (first) tellSandbox(context, 'pod.stopped', stopped);
  }
  return store.sandboxes.get(id);
}
