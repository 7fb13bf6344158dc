import { readFile } from 'node:fs/promises';
import type { PodContext } from '../pod/context.ts';
import { containerPaths } from '../pod/paths.ts';
import type { Container, Sandbox } from '../pod/record.ts';

/** The verbose `info` of PodSandboxStatus, under CRI-O's keys. */
export async function sandboxInfo(context: PodContext, sandbox: Sandbox): Promise<Record<string, string>> {
  const image = { image: '', pid: sandbox.shimPid, cgroupParent: sandbox.cgroupParent, networkReleased: sandbox.networkReleased };
  const shim = context.shims.serves(sandbox.id) ? 'serving' : 'lost';
  const cni = sandbox.attachment ? (JSON.parse(sandbox.attachment.resultJson) as object) : null;
  return { info: JSON.stringify({ ...image, ...sandbox.resources, shim, runtimeHandler: sandbox.handler || context.runtimes.defaultName, cniResult: cni }) };
}

/** The verbose `info` of ContainerStatus, under CRI-O's keys. */
export async function containerInfo(context: PodContext, container: Container): Promise<Record<string, string>> {
  const { bundle } = containerPaths(context.roots, container.id);
  const text = await readFile(`${bundle}/config.json`, 'utf8').catch(() => 'null');
  return {
    info: JSON.stringify({
      sandboxID: container.sandboxId, pid: container.pid, runtimeSpec: JSON.parse(text) as object | null, privileged: false,
    }),
  };
}
