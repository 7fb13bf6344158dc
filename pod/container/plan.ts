import { normalize } from 'node:path';
import type { ContainerConfig } from '../../api/cri.ts';
import type { CgroupDirs } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import { cgroupDirs, childPath, containerLeaf, everyCgroupDir } from '../../host/cgroup.ts';
import type { Image } from '../../image/records/record.ts';
import type { Handler, PodContext } from '../context.ts';
import type { Container, ImageVolume, Sandbox } from '../record.ts';
import { hasControl } from '../sandbox/text.ts';
import { stopSignalNumber } from './signal.ts';

/** The record of a container that is about to be made. Throws `invalid` for a configuration that cannot be run. */
export function plannedContainer(
  sandbox: Sandbox,
  image: Image,
  request: { id: string; config: ContainerConfig; encoded: Buffer; imageVolumes: ImageVolume[]; createdAtNs: string },
): Container {
  const { config } = request;
  if (!config.metadata?.name) throw new RuntimeError('invalid', `container in sandbox ${sandbox.id}: no metadata.name`);
  return {
    id: request.id,
    sandboxId: sandbox.id,
    handler: sandbox.handler,
    cgroupParent: sandbox.cgroupParent,
    state: 'creating',
    name: config.metadata.name,
    attempt: config.metadata.attempt,
    labels: config.labels,
    annotations: config.annotations,
    imageId: image.id,
    imageRef: image.digests[0] ?? image.id,
    imageVolumes: request.imageVolumes,
    config: request.encoded,
    createdAtNs: request.createdAtNs,
    startedAtNs: '0',
    exit: null,
    exitSeq: 0,
    message: '',
    pid: 0,
    logPath: logPath(sandbox.logDirectory, config),
    user: { uid: 0, gid: 0, groups: [] },
    stopSignal: stopSignalNumber(config.stop_signal, image.config.stopSignal),
  };
}

/** The container's log file; it may not lie outside the pod's log directory. */
function logPath(directory: string, config: ContainerConfig): string {
  if (directory === '' || config.log_path === '') return '';
  const base = normalize(`${directory}/`);
  const path = normalize(`${base}${config.log_path}`);
  if (!path.startsWith(base) || hasControl(path)) {
    throw new RuntimeError('invalid', `container ${config.metadata?.name}: log path ${JSON.stringify(config.log_path)} leaves ${directory} or is no line of text`);
  }
  return path;
}

/** The handler of a pod or container. Throws `unavailable` when it is not configured any more. */
export function handlerOf(context: PodContext, of: { id: string; handler: string }): Handler {
  const name = of.handler || context.runtimes.defaultName;
  const handler = context.runtimes.byName.get(name);
  if (!handler) throw new RuntimeError('unavailable', `${of.id}: its runtime handler ${name} is not configured any more`);
  return handler;
}

/** The container's cgroup in every hierarchy, for who clears it away. */
export function everyContainerCgroup(context: PodContext, container: Container): CgroupDirs {
  return everyCgroupDir(context.cgroup.host, containerCgroupPath(context, container));
}

/** Directories of the container's cgroup. */
export function containerCgroup(context: PodContext, container: Container): CgroupDirs {
  return cgroupDirs(context.cgroup.host, containerCgroupPath(context, container));
}

/** Path of the container's cgroup below every hierarchy. */
export function containerCgroupPath(context: PodContext, { id, cgroupParent }: Container): string {
  return childPath(cgroupParent, containerLeaf(context.cgroup.driver, id));
}
