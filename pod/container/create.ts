import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { type ContainerConfig, decode, encode } from '../../api/cri.ts';
import type { SelinuxLabels } from '../../api/engine.ts';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { timed } from '../../api/observe.ts';
import { wallClockNs } from '../../host/clock.ts';
import { requireRoom } from '../../host/room.ts';
import type { Image } from '../../image/records/record.ts';
import type { PodContext } from '../context.ts';
import { createdAt } from '../created-at.ts';
import { fingerprint } from '../fingerprint.ts';
import { containerPaths } from '../paths.ts';
import { type Container, containerKey, type Sandbox } from '../record.ts';
import { containerLabels, relabelMounts } from '../selinux/labels-of.ts';
import { tellContainer } from './event.ts';
import { requireAllowed } from './image-policy.ts';
import { leaseAll, plannedImageVolumes, withMountedImages } from './image-volumes.ts';
import { containerCgroup, handlerOf, plannedContainer } from './plan.ts';
import { releaseOrRetry } from './release.ts';
import { withResolvedMounts } from './sources.ts';
import { knownSandbox } from '../sandbox/known.ts';
import { undone } from '../teardown.ts';
import { onHost, ROOT } from '../spec/user-namespace.ts';
import { specOf } from './spec-of.ts';
import { after } from './state.ts';

/**
 * CreateContainer: returns the id of a container in state created. An identical retry joins the work in flight or gets
 * the same id; aborting `signal` ends the wait, not the work. On error nothing of the container is left.
 */
export async function createContainer(
  context: PodContext,
  ask: { sandboxId: string; config: ContainerConfig },
  signal: AbortSignal,
): Promise<string> {
  const sandbox = readySandbox(context, ask.sandboxId);
  const image = imageOf(context, ask.config);
  const encoded = encode('ContainerConfig', ask.config);
  const id = randomBytes(32).toString('hex');
  const imageVolumes = plannedImageVolumes(context.images, ask.config.mounts);
  const createdAtNs = createdAt(wallClockNs(), context.store.containersOf(sandbox.id));
  const planned = plannedContainer(sandbox, image, { id, config: ask.config, encoded, imageVolumes, createdAtNs });
  const key = containerKey(planned);
  const present = context.store.containersOf(sandbox.id).find((one) => one.state !== 'creating' && containerKey(one) === key);
  if (present) return sameContainer(present, planned);
  requireRoom('the state directory', context.roots.state);
  return context.operations.join(`container ${key}`, fingerprint(ask.config), signal, () => build(context, sandbox, image, planned, ask.config));
}

/** The sandbox with that id or id prefix. Throws `not-found`, or `wrong-state` when it is not ready or its shim is foreign. */
function readySandbox(context: PodContext, id: string): Sandbox {
  const sandbox = knownSandbox(context, id);
  if (sandbox.state !== 'ready') throw new RuntimeError('wrong-state', `sandbox ${sandbox.id} is stopped: run a new one`);
  context.shims.check(sandbox.id);
  return sandbox;
}

function imageOf(context: PodContext, config: ContainerConfig): Image {
  const reference = config.image?.image ?? '';
  const image = context.images.find(reference);
  if (!image) throw new RuntimeError('not-found', `container ${config.metadata?.name}: image ${reference} is not here: pull it first`);
  if (image.artifactType !== '') {
    throw new RuntimeError('invalid', `container ${config.metadata?.name}: ${reference} is an artifact of type ${image.artifactType}, which can be mounted as a volume but not run`);
  }
  return image;
}

function sameContainer(present: Container, asked: Container): string {
  const print = ({ config }: Container): string => fingerprint(decode('ContainerConfig', config));
  if (present.state === 'created' && print(present) === print(asked)) return present.id;
  throw new RuntimeError(
    'exists',
    `container ${asked.name} attempt ${asked.attempt} exists as ${present.id} (${present.state}): remove it or raise the attempt`,
  );
}

async function build(
  context: PodContext,
  sandbox: Sandbox,
  image: Image,
  planned: Container,
  config: ContainerConfig,
): Promise<string> {
  const { meter, store } = context;
  const leave = leaseAll(context.images, [image.id, ...planned.imageVolumes.map(({ imageId }) => imageId)]);
  store.containers.put(planned);
  try {
    await requireAllowed(context, sandbox, { image, planned, config });
    const resolved = await withResolvedMounts(context.engine, config, context.settings.absentMountSourcesToReject);
    const labels = await containerLabels(context, sandbox, config);
    await timed(meter, 'create_container', 'relabel', () => relabelMounts(context, labels, resolved.mounts));
    const files = await timed(meter, 'create_container', 'rootfs', () => mountRootfs(context, image, { sandbox, id: planned.id, labels }));
    const mounted = await withMountedImages(context, planned, resolved, { user: sandbox.user, label: labels?.mount ?? '' });
    const { spec, user } = await specOf(context, { sandbox, image, id: planned.id, config: mounted, files, labels });
    const { bundle } = containerPaths(context.roots, planned.id);
    writeFileSync(`${bundle}/config.json`, JSON.stringify(spec), { mode: 0o600 });
    change(context, planned.id, (container) => ({ ...container, user, selinux: labels }));
    const { pid } = await timed(meter, 'create_container', 'runtime', () =>
      context.shims.of(sandbox.id).call('create', {
        container: planned.id,
        bundle,
        runtime: handlerOf(context, sandbox).runtime,
        logPath: planned.logPath,
        logDirectory: sandbox.logDirectory,
        tty: config.tty,
        stdin: config.stdin,
        stdinOnce: config.stdin_once,
        cgroup: containerCgroup(context, planned),
        timeoutMs: context.settings.runtimeTimeout,
      }),
    );
    const stopped = stoppedMeanwhile(context, sandbox.id);
    if (stopped) throw stopped;
    const created = change(context, planned.id, (container) => after(container, { type: 'created', pid }));
    tellContainer(context, 'container.created', created);
    if (created.exit) tellContainer(context, 'container.exited', created);
    return planned.id;
  } catch (error) {
    await undone(releaseOrRetry(context, store.containers.get(planned.id) ?? planned));
    const because = stoppedMeanwhile(context, sandbox.id, error) ?? error;
    throw whileDoing(`create container ${planned.name} in sandbox ${sandbox.namespace}/${sandbox.name}`, because);
  } finally {
    leave();
  }
}

async function mountRootfs(
  context: PodContext,
  image: Image,
  { sandbox, id, labels }: { sandbox: Sandbox; id: string; labels: SelinuxLabels | null },
): Promise<Record<string, string>> {
  const paths = containerPaths(context.roots, id);
  makeBundle(paths.bundle, sandbox);
  const { files } = await context.engine.call('mountRootfs', {
    target: paths.rootfs,
    lower: context.images.layerPaths(image),
    upper: paths.upper,
    work: paths.work,
    idmap: sandbox.user && { userNamespace: sandbox.user.path, stage: paths.layers },
    label: labels?.mount ?? '',
    read: ['/etc/passwd', '/etc/group'],
  });
  return files;
}

/** A user namespace's root has to get to the root file system in it, and nobody else. */
function makeBundle(path: string, sandbox: Sandbox): void {
  mkdirSync(path, { mode: 0o700 });
  if (!sandbox.user) return;
  chownSync(path, 0, onHost(ROOT, sandbox.user.mappings).gid);
  chmodSync(path, 0o710);
}

/** The pod may have been stopped while its container was being made; then that, and not what came of it, is the reason. */
function stoppedMeanwhile(context: PodContext, sandboxId: string, error?: unknown): RuntimeError | undefined {
  if (context.store.sandboxes.get(sandboxId)?.state === 'ready') return undefined;
  return new RuntimeError('wrong-state', `sandbox ${sandboxId} was stopped meanwhile`, error);
}

function change(context: PodContext, id: string, to: (container: Container) => Container): Container {
  const container = context.store.containers.get(id);
  if (!container) throw new RuntimeError('not-found', `container ${id} was removed meanwhile`);
  return context.store.containers.put(to(container));
}
