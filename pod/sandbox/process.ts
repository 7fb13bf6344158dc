import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { CgroupDirs } from '../../api/engine.ts';
import type { OciRuntime } from '../../api/shim.ts';
import { cgroupDirs, childPath, containerLeaf, everyCgroupDir } from '../../host/cgroup.ts';
import { handlerOf } from '../container/plan.ts';
import type { PodContext } from '../context.ts';
import { endCgroup } from '../end-cgroup.ts';
import { podPaths } from '../paths.ts';
import type { Sandbox } from '../record.ts';
import { runRuntime } from '../runtime-call.ts';
import { isUnable } from '../shim/unable.ts';
import { sandboxProcessSpec } from '../spec/sandbox-process.ts';
import { finishAll } from '../teardown.ts';
import { tellSandbox } from './event.ts';
import { hasProcess } from './plan.ts';

/** Starts the OCI sandbox container of a pod that needs one; containers then join it. It takes over the network, which must be there. */
export async function startProcess(context: PodContext, sandbox: Sandbox): Promise<void> {
  if (!hasProcess(context, sandbox)) return;
  const { id } = sandbox;
  const bundle = `${podPaths(context.roots, id).directory}/process`;
  mkdirSync(bundle, { mode: 0o700 });
  mkdirSync(`${bundle}/rootfs`, { mode: 0o755 });
  const spec = sandboxProcessSpec({
    sandbox, native: context.native, netnsPath: podPaths(context.roots, id).netns,
    cgroup: { driver: context.cgroup.driver, parent: sandbox.cgroupParent },
  });
  writeFileSync(`${bundle}/config.json`, JSON.stringify(spec), { mode: 0o600 });
  const shim = context.shims.of(id);
  await shim.call('create', {
    container: id, bundle, runtime: ownRuntime(context, sandbox), logPath: '', logDirectory: '', tty: false, stdin: false, stdinOnce: false,
    cgroup: cgroupOf(context, sandbox, cgroupDirs), timeoutMs: context.settings.runtimeTimeout,
  });
  await shim.call('start', { container: id, timeoutMs: context.settings.runtimeTimeout });
}

/** Ends the sandbox process with all in it, also where the shim cannot be asked any more, and what gVisor leaves. Idempotent. */
export async function endProcess(context: PodContext, sandbox: Sandbox): Promise<void> {
  if (!hasProcess(context, sandbox)) return;
  try {
    await context.shims.of(sandbox.id).call('delete', { container: sandbox.id, timeoutMs: context.settings.runtimeTimeout });
  } catch (error) {
    if (!isUnable(error)) throw error;
    await finishAll(`end the sandbox process of ${sandbox.id}`, [
      () => endCgroup(context.engine, cgroupOf(context, sandbox, cgroupDirs)),
      () => runRuntime(context.engine, ownRuntime(context, sandbox), ['delete', '--force', sandbox.id], context.settings.runtimeTimeout),
    ]);
  }
  await endCgroup(context.engine, cgroupOf(context, sandbox, everyCgroupDir));
  const { root } = ownRuntime(context, sandbox);
  const left = (await readdir(root).catch(() => [])).filter((name) => name === sandbox.id || name.includes(`_sandbox:${sandbox.id}.`));
  await context.engine.call('removeTrees', { unmount: [], remove: left.map((name) => `${root}/${name}`) });
}

/** The sandbox process has ended by itself: the pod counts as stopped, and the kubelet makes a new one. */
export function processEnded(context: PodContext, id: string): void {
  const sandbox = context.store.sandboxes.get(id);
  if (sandbox?.state !== 'ready') return;
  context.log.error('the sandbox process of a pod has ended', { sandbox: id });
  tellSandbox(context, 'pod.stopped', context.store.sandboxes.put({ ...sandbox, state: 'stopped' }));
}

/** The sandbox container itself is a child of the shim as any container is. */
function ownRuntime(context: PodContext, sandbox: Sandbox): OciRuntime {
  return { ...handlerOf(context, sandbox).runtime, sandboxed: false };
}

function cgroupOf(context: PodContext, sandbox: Sandbox, dirs: typeof cgroupDirs): CgroupDirs {
  return dirs(context.cgroup.host, childPath(sandbox.cgroupParent, containerLeaf(context.cgroup.driver, sandbox.id)));
}
