import { readFile } from 'node:fs/promises';
import type { Exit } from '../../api/shim.ts';
import { containerLost } from '../container/news.ts';
import { containerCgroup } from '../container/plan.ts';
import { nowNs, type PodContext } from '../context.ts';
import { endCgroup } from '../end-cgroup.ts';
import { podPaths } from '../paths.ts';
import type { Container } from '../record.ts';
import { tellSandbox } from './event.ts';

/**
 * The sandbox's shim is gone. Nobody holds its containers' output any more, so they are killed and the sandbox counts
 * as stopped: the kubelet makes a new one. Exits that the shim wrote before it ended, or that the kernel keeps, keep their code.
 */
export async function sandboxLost(context: PodContext, id: string): Promise<void> {
  const sandbox = context.store.sandboxes.get(id);
  if (!sandbox || sandbox.state === 'creating') return;
  const lostAtNs = nowNs();
  const left = context.store.containersOf(id).filter((container) => !container.exit);
  if (left.length > 0) {
    context.log.error('shim of a sandbox is gone: its containers are killed', { sandbox: id, shim: sandbox.shimPid });
    context.meter.count('shims_lost');
  }
  if (sandbox.state === 'ready') tellSandbox(context, 'pod.stopped', context.store.sandboxes.put({ ...sandbox, state: 'stopped' }));
  await Promise.all(left.map((container) => endLost(context, container, lostAtNs)));
}

/** The exit is the one that the shim wrote, else as the kernel tells it, else unknown (docs/decisions/0011). */
async function endLost(context: PodContext, container: Container, lostAtNs: string): Promise<void> {
  const end = await endCgroup(context.engine, containerCgroup(context, container), container.pid).catch((error: unknown) => {
    context.log.error('container of a lost shim cannot be killed', { container: container.id, error: String(error) });
    return null;
  });
  const atNs = nowNs();
  const known = await writtenExit(`${podPaths(context.roots, container.sandboxId).directory}/exits/${container.id}`);
  // A shim that only cannot be reached has seen the end that it is given here.
  if (known && BigInt(known.finishedAtNs) >= BigInt(lostAtNs)) {
    containerLost(context, container.id, null, { type: 'lost', message: 'killed, for its shim could not be asked any more', atNs: known.finishedAtNs, exit: known });
  } else {
    const exit = end ? { exit: { ...end, oomKilled: false, finishedAtNs: atNs } } : {};
    containerLost(context, container.id, known, { type: 'lost', message: 'its shim ended before it did', atNs, ...exit });
  }
}

/** The exit that a shim left in the pod's directory, if it got that far. */
async function writtenExit(path: string): Promise<Exit | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Exit;
  } catch {
    return null;
  }
}
