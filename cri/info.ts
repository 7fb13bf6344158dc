import { readFile } from 'node:fs/promises';
import { decode } from '../api/cri.ts';
import type { PodContext } from '../pod/context.ts';
import { containerPaths, podPaths } from '../pod/paths.ts';
import type { Container, Sandbox } from '../pod/record.ts';
import { sandboxView } from '../pod/spec/sandbox-view.ts';

/**
 * The verbose `info` of PodSandboxStatus, under CRI-O's keys (`image`, empty as there is none, `pid`, `runtimeSpec`) and
 * more of our own.
 */
export function sandboxInfo(context: PodContext, sandbox: Sandbox): Record<string, string> {
  const { attachment, cgroupParent, handler, lacks = [], networkReleased, resources, shimPid } = sandbox;
  return asInfo({
    image: '',
    pid: shimPid,
    runtimeSpec: sandboxView(sandbox, decode('PodSandboxConfig', sandbox.config), podPaths(context.roots, sandbox.id).netns),
    cgroupParent,
    networkReleased,
    ...resources,
    lacks,
    shim: shimState(context, sandbox),
    runtimeHandler: handler || context.runtimes.defaultName,
    cniResult: attachment ? (JSON.parse(attachment.resultJson) as object) : null,
  });
}

/** A ready pod that an earlier daemon left is `awaited` until its shim has answered. */
export function shimState({ shims }: Pick<PodContext, 'shims'>, sandbox: Sandbox): 'serving' | 'foreign' | 'awaited' | 'lost' {
  const state = shims.state(sandbox.id);
  return state === 'lost' && sandbox.state === 'ready' ? 'awaited' : state;
}

/** The verbose `info` of ContainerStatus, under CRI-O's keys; `pid` is 0 once the process has ended. */
export async function containerInfo(context: PodContext, container: Container): Promise<Record<string, string>> {
  const { bundle } = containerPaths(context.roots, container.id);
  const text = await readFile(`${bundle}/config.json`, 'utf8').catch(() => 'null');
  return asInfo({
    sandboxID: container.sandboxId,
    pid: container.exit ? 0 : container.pid,
    runtimeSpec: JSON.parse(text) as object | null,
    privileged: decode('ContainerConfig', container.config).linux?.security_context?.privileged === true,
  });
}

function asInfo(info: object): Record<string, string> {
  return { info: JSON.stringify(info) };
}
