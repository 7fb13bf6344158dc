import { readFile, writeFile } from 'node:fs/promises';
import { type ContainerConfig, decode, encode, type LinuxContainerResources } from '../../api/cri.ts';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import type { PodContext } from '../context.ts';
import type { Container } from '../record.ts';
import { resources } from '../spec/resources.ts';
import { hugepageFile, readLimits, writeBack } from './limit-files.ts';
import { newLimits } from './new-limits.ts';
import { containerCgroup, containerCgroupPath, handlerOf } from './plan.ts';
import { knownContainer } from './start.ts';

/**
 * UpdateContainerResources: sets the limits that `asked` names, on a created or running container; those left out
 * (zero or empty) stay. All or nothing: on error the old limits stand, in the cgroup and in the status. Throws
 * `not-found`, `wrong-state` for an ended container and for a memory limit below what is in use and cannot be reclaimed,
 * `unsupported` for a container inside a sandbox process.
 */
export async function updateContainer(
  context: PodContext,
  id: string,
  asked: LinuxContainerResources | null,
  signal: AbortSignal,
): Promise<void> {
  const container = knownContainer(context, id);
  if (!asked) return;
  await unlessAborted(context.turns.run(container.id, () => updateInTurn(context, container.id, asked)), signal);
}

async function updateInTurn(context: PodContext, id: string, asked: LinuxContainerResources): Promise<void> {
  const container = knownContainer(context, id);
  if (container.state !== 'created' && container.state !== 'running') {
    throw new RuntimeError('wrong-state', `container ${id} is ${container.state}: its limits cannot be changed any more`);
  }
  const config = decode('ContainerConfig', container.config);
  const limits = newLimits(config.linux?.resources ?? null, asked);
  try {
    refuseInside(context, container);
    refuseUnknownFiles(asked);
    await refuseTooLittleMemory(context, container, BigInt(asked.memory_limit_in_bytes));
    await change(context, container, asked, limits);
  } catch (error) {
    throw whileDoing(`update limits of container ${container.name} (${id})`, error);
  }
  const updated: ContainerConfig = { ...config, linux: { security_context: null, ...config.linux, resources: limits } };
  context.store.containers.put({ ...knownContainer(context, id), config: encode('ContainerConfig', updated) });
}

/** No process of such a container is in its cgroup; what limits its pod is the pod's cgroup, which is the kubelet's. */
function refuseInside(context: PodContext, container: Container): void {
  const { runtime } = handlerOf(context, container);
  if (runtime.sandboxed) throw new RuntimeError('unsupported', `${runtime.path} runs it inside a sandbox process, where it has no limits of its own`);
}

/** A key of `unified` is the name of a file in the container's cgroup, and of no other. */
function refuseUnknownFiles({ unified }: LinuxContainerResources): void {
  const wrong = Object.keys(unified).find((name) => name.includes('/') || name.startsWith('cgroup.'));
  if (wrong !== undefined) throw new RuntimeError('invalid', `unified: ${wrong} is no limit of a cgroup`);
}

/** Version 2 would kill to get below a limit, version 1 would try for long and fail. */
async function refuseTooLittleMemory(context: PodContext, container: Container, limit: bigint): Promise<void> {
  if (limit <= 0n) return;
  const groups = [{ id: container.id, path: containerCgroupPath(context, container) }];
  const { groups: [used] } = await context.engine.call('sample', { mounts: context.cgroup.host.mounts, groups, networks: [] });
  if (used && BigInt(used.workingSetBytes) > limit) {
    throw new RuntimeError('wrong-state', `memory limit ${limit} is below the ${used.workingSetBytes} bytes in use: free some first`);
  }
}

async function change(context: PodContext, container: Container, asked: LinuxContainerResources, limits: LinuxContainerResources): Promise<void> {
  const { host } = context;
  // systemd resets the files of a scope for which it has no property (memory.oom.group) whenever one is changed.
  const { unified } = limits;
  const wanted = { ...asked, unified, memory_swap_limit_in_bytes: asked.memory_limit_in_bytes === '0' ? asked.memory_swap_limit_in_bytes : limits.memory_swap_limit_in_bytes };
  const ociResources = resources(wanted, host);
  const dirs = containerCgroup(context, container);
  const before = await readLimits(dirs, host.hugepageSizes, Object.keys(unified));
  try {
    await context.shims.of(container.sandboxId).call('update', {
      container: container.id, resources: { ...ociResources }, timeoutMs: context.settings.runtimeTimeout,
    });
    // OCI runtimes leave huge pages out of an update.
    for (const { pageSize, limit } of ociResources.hugepageLimits ?? []) await writeFile(hugepageFile(dirs, pageSize), String(limit));
    if (asked.oom_score_adj !== '0') await setOomScoreAdj(container, Math.max(Number(asked.oom_score_adj), host.oomScoreAdjMin));
  } catch (error) {
    const left = await writeBack(before);
    if (left.length > 0) context.log.error('limits could not be put back after a failed update', { container: container.id, files: left.join(' ') });
    throw error;
  }
}

/** Of the first process; those that it starts from now on inherit it. One that has ended needs none. */
async function setOomScoreAdj({ pid }: Container, wanted: number): Promise<void> {
  const path = `/proc/${pid}/oom_score_adj`;
  const now = await readFile(path, 'utf8').catch(() => undefined);
  if (now !== undefined && Number(now) !== wanted) await writeFile(path, String(wanted));
}
