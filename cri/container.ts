import { type ContainerConfig, type ContainerFilter, type ContainerStatus, decode, type Draft, encode, type Mount } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import { checkpointContainer } from '../pod/container/checkpoint.ts';
import { createContainer } from '../pod/container/create.ts';
import { execSync } from '../pod/container/exec.ts';
import { reopenLog } from '../pod/container/log.ts';
import { removeContainer } from '../pod/container/remove.ts';
import { signalName } from '../pod/container/signal.ts';
import { knownContainer, startContainer } from '../pod/container/start.ts';
import { stopContainer } from '../pod/container/stop.ts';
import { updateContainer } from '../pod/container/update.ts';
import type { PodContext } from '../pod/context.ts';
import { type Container, exitReason, isWholeId } from '../pod/record.ts';
import { streamedList, wholeList } from './batches.ts';
import { hasId, hasLabels } from './filter.ts';
import { containerInfo } from './info.ts';
import { itemsOf } from './items.ts';
import type { RuntimeHandlers } from './server.ts';

/** The rpcs on containers. */
export function containerHandlers(context: PodContext): RuntimeHandlers {
  return {
    CreateContainer: async (request, { signal }) => {
      if (!request.config) throw new RuntimeError('invalid', 'CreateContainer without a config');
      const ask = { sandboxId: request.pod_sandbox_id, config: request.config };
      return { container_id: await createContainer(context, ask, signal) };
    },
    StartContainer: async (request, { signal }) => {
      await startContainer(context, request.container_id, signal);
      return {};
    },
    StopContainer: async (request, { signal }) => {
      await stopContainer(context, request.container_id, graceMs(request.timeout), signal);
      return {};
    },
    RemoveContainer: async (request, { signal }) => {
      await removeContainer(context, request.container_id, signal);
      return {};
    },
    ContainerStatus: async (request) => {
      const container = knownContainer(context, request.container_id);
      return { status: containerStatus(container), info: request.verbose ? await containerInfo(context, container) : {} };
    },
    ListContainers: async ({ filter }) => wholeList(await listed(context, filter)),
    StreamContainers: async function* ({ filter }) {
      yield* streamedList(await listed(context, filter));
    },
    UpdateContainerResources: async (request, { signal }) => {
      await updateContainer(context, request.container_id, request.linux, signal);
      return {};
    },
    CheckpointContainer: async ({ container_id: id, location, timeout }, { signal }) => {
      await checkpointContainer(context, { id, location, timeoutMs: graceMs(timeout) }, signal);
      return {};
    },
    ReopenContainerLog: async (request) => {
      await reopenLog(context, request.container_id);
      return {};
    },
    ExecSync: async (request, { signal }) => {
      const { container_id: containerId, cmd: command, timeout } = request;
      const { stdout, stderr, exitCode } = await execSync(context, { containerId, command, timeoutMs: graceMs(timeout) }, signal);
      return { stdout, stderr, exit_code: exitCode };
    },
  };
}

/** Seconds of a request (int64 as text) in milliseconds, at most what a number carries exactly. */
function graceMs(seconds: string): number {
  return Math.min(Math.max(0, Number(seconds)) * 1000, Number.MAX_SAFE_INTEGER);
}

function listed({ store }: PodContext, filter: ContainerFilter | null): Promise<Buffer[]> {
  const ofOnePod = filter !== null && isWholeId(filter.pod_sandbox_id);
  const asked = ofOnePod ? store.containersOf(filter.pod_sandbox_id) : store.containers.all();
  return itemsOf(asked, (one) => matches(one, filter), listItem);
}

function matches(container: Container, filter: ContainerFilter | null): boolean {
  if (container.state === 'creating') return false;
  if (!filter) return true;
  return (
    hasId(container.id, filter.id) &&
    hasId(container.sandboxId, filter.pod_sandbox_id) &&
    (!filter.state || filter.state.state === stateOf(container)) &&
    hasLabels(container.labels, filter.label_selector)
  );
}

const items = new WeakMap<Container, Buffer>();

/** The container's entry of a list, encoded once for each record: a record never changes. */
function listItem(container: Container): Buffer {
  const ready = items.get(container);
  if (ready) return ready;
  const { image, image_ref, image_id } = imageFields(container, decode('ContainerConfig', container.config));
  const item = encode('Container', { ...common(container), pod_sandbox_id: container.sandboxId, image, image_ref, image_id });
  items.set(container, item);
  return item;
}

/**
 * ContainerStatus of every container of a sandbox, the newest first: a kubelet that lives by events takes the first of a
 * name for the one that counts.
 */
export function podContainers({ store }: PodContext, sandboxId: string): Draft<ContainerStatus>[] {
  const shown = store.containersOf(sandboxId).filter((one) => one.state !== 'creating');
  return shown.sort(newestFirst).map(containerStatus);
}

function newestFirst(one: Container, other: Container): number {
  return Number(BigInt(other.createdAtNs) - BigInt(one.createdAtNs)) || other.attempt - one.attempt;
}

function containerStatus(container: Container): Draft<ContainerStatus> {
  const config = decode('ContainerConfig', container.config);
  const { exit, user } = container;
  return {
    ...common(container),
    ...imageFields(container, config),
    started_at: container.startedAtNs,
    finished_at: exit?.finishedAtNs ?? '0',
    exit_code: exit?.exitCode ?? 0,
    reason: exit ? exitReason(exit) : '',
    message: container.message,
    mounts: mountsOf(container, config),
    log_path: container.logPath,
    resources: { linux: config.linux?.resources ?? null },
    user: { linux: { uid: `${user.uid}`, gid: `${user.gid}`, supplemental_groups: user.groups.map(String) } },
    stop_signal: config.stop_signal === 'SIGNAL_RUNTIME_DEFAULT' ? signalName(container.stopSignal) : config.stop_signal,
  };
}

/** The mounts as asked for, images with the reference by which they are known here. */
function mountsOf({ imageVolumes }: Container, { mounts }: ContainerConfig): Mount[] {
  const volumes = imageVolumes.values();
  return mounts.map((mount) => {
    if (!mount.image?.image) return mount;
    return { ...mount, image: { ...mount.image, image_ref: volumes.next().value?.imageRef ?? '' } };
  });
}

function imageFields(container: Container, config: ReturnType<typeof decode<'ContainerConfig'>>) {
  return { image: config.image, image_ref: container.imageRef, image_id: container.imageId };
}

function common(container: Container) {
  return {
    id: container.id,
    metadata: { name: container.name, attempt: container.attempt },
    state: stateOf(container),
    created_at: container.createdAtNs,
    labels: container.labels,
    annotations: container.annotations,
  };
}

const states = {
  creating: 'CONTAINER_UNKNOWN', created: 'CONTAINER_CREATED', running: 'CONTAINER_RUNNING', exited: 'CONTAINER_EXITED',
} as const;

function stateOf(container: Container): (typeof states)[keyof typeof states] {
  return states[container.state];
}
