import { mkdirSync, readFileSync } from 'node:fs';
import { definitions } from '../api/cri.ts';
import type { LayerLimits } from '../api/engine.ts';
import type { Publish } from '../api/events.ts';
import type { Log, Meter } from '../api/observe.ts';
import { hierarchies } from '../host/cgroup.ts';
import { holdDirectory } from '../host/lock.ts';
import { keyedQueue } from '../host/queue.ts';
import { useInodes } from '../host/room.ts';
import { startEngine } from '../host/spawn-engine.ts';
import type { VerificationOptions } from '../image/policy/verification.ts';
import { openImages } from '../image/store.ts';
import { openChanges } from '../pod/changes.ts';
import { loadDefaultProfile } from '../pod/apparmor.ts';
import { markIncomplete } from '../pod/check/mark.ts';
import { containerExited, logLost } from '../pod/container/news.ts';
import type { PodContext } from '../pod/context.ts';
import { exitWaiters } from '../pod/exits.ts';
import { openNetwork } from '../pod/network/cni.ts';
import { joinedOperations } from '../pod/operations.ts';
import { recovery } from '../pod/recover.ts';
import { openProofs } from '../pod/proofs.ts';
import { findRuntimes } from '../pod/runtimes.ts';
import { sandboxLost } from '../pod/sandbox/lost.ts';
import type { Container } from '../pod/record.ts';
import { processEnded } from '../pod/sandbox/process.ts';
import type { NumberedExit } from '../pod/shim/client.ts';
import { shimConnections } from '../pod/shim/shims.ts';
import { loadedPolicy } from '../pod/selinux/policy.ts';
import { hostFacts } from '../pod/spec/host-facts.ts';
import { openStore } from '../pod/store.ts';
import { sweepRoot } from '../pod/sweep.ts';
import { type Config, KNOWN_RUNTIMES } from './config.ts';
import { rememberedPodCidr } from './pod-cidr.ts';

/** What the daemon tells others while it works. */
export type Observers = { log: Log; meter: Meter; publish: Publish };

/** A daemon that is ready for calls. `close` ends everything of its own; pods live on. */
export type Daemon = {
  context: PodContext;
  /** Takes up the pods of an earlier start, and takes away what is nobody's; for when lists are served already. Resolves when all is done. */
  takeUp(): Promise<void>;
  /** Resolves when the sandbox of an earlier start is taken up. */
  takenUp(sandboxId: string): Promise<void>;
  close(): Promise<void>;
};

/** Calls that may wait for their turn on one pod or container; the kubelet makes one at a time. */
const MAX_QUEUED = 64;

/** Pods and containers that may be in the making: after a restart of the node the kubelet asks for all of its pods at once. */
const MAX_CREATIONS = 1024;

/** Brings up all parts of the daemon. Undoes nothing on error: the process ends. */
export async function startDaemon(config: Config, observers: Observers): Promise<Daemon> {
  const { log, meter } = observers;
  mkdirSync(`${config.root}/containers`, { recursive: true, mode: 0o700 });
  const imageRoot = config.imageStore || config.root;
  mkdirSync(imageRoot, { recursive: true, mode: 0o700 });
  const releaseRoot = holdAll(new Set([config.root, imageRoot]));
  const starting = startEngine({ path: config.native, stateDir: config.state, log, meter });
  definitions();
  const engine = await starting;
  useInodes(config.state);
  for (const folder of ['pods', 's', 'oci']) mkdirSync(`${config.state}/${folder}`, { recursive: true, mode: 0o700 });
  mkdirSync(`${config.state}/containers`, { recursive: true, mode: 0o711 });
  const releaseState = holdDirectory(config.state);
  const boot = bootId();
  const store = openStore(config.state, boot, log);
  const cgroup = { driver: config.cgroupDriver, host: hierarchies(readFileSync('/proc/self/mountinfo', 'utf8')), defaultParent: defaultParent(config) };

  const [images, network, runtimes, host] = await Promise.all([
    openImages({
      root: imageRoot, additionalStores: config.additionalImageStores, engine,
      registriesConf: config.registriesConf, certsDirs: config.certsDirs, authFiles: config.authFiles,
      namespaceAuthDir: config.namespaceAuthDir, layerLimits: layerLimits(config), verification: verification(config),
      stall: { ms: config.pullStallTimeout, bytes: config.pullStallBytes }, ...observers, usedBy: (id) => users(store.containers.all(), id),
    }),
    openNetwork({
      configDir: config.cniConfigDir, pluginDirs: [...config.cniPluginDirs], timeoutMs: config.cniTimeout, engine, allowDefault: config.defaultCni, log,
      cacheDir: `${config.root}/network`,
    }),
    findRuntimes({
      configured: config.runtimes, defaultName: config.defaultRuntime, known: KNOWN_RUNTIMES, stateDir: config.state,
      proofs: openProofs(`${config.state}/runtimes.json`, { bootId: boot, native: config.native }),
      native: config.native, cgroup, engine, log,
    }),
    engine.call('tryIdmap', { dir: imageRoot })
      .then(async ({ obstacle }) =>
        hostFacts({ cgroup, defaultUlimits: config.defaultUlimits, idmapObstacle: obstacle, selinux: config.selinux ? await loadedPolicy(log) : null })),
    loadDefaultProfile({ engine, stateDir: config.state, log }),
  ]);
  const context: PodContext = {
    roots: { root: config.root, state: config.state, netnsDir: config.netnsDir }, native: config.native,
    store, engine, images, network, runtimes, cgroup, host, settings: config, ...observers,
    shims: shimConnections({
      exited: (id, event) => (event.container === id ? processEnded(context, id) : recordExit(context, event)),
      logLost: (event) => logLost(observers, event),
      lost: (id) => void sandboxLost(context, id).catch((error: unknown) =>
        log.error('a sandbox that lost its shim cannot be settled', { sandbox: id, error: String(error) }),
      ),
    }),
    turns: keyedQueue(MAX_QUEUED), operations: joinedOperations(MAX_CREATIONS), exits: exitWaiters(), starting: new Set(),
    changes: openChanges(log),
  };
  network.setPodCidr(rememberedPodCidr(config.state));
  const { begin, takenUp } = recovery(context);
  const takeUp = (): Promise<void> => begin().then(() => sweepRoot(context)).then(() => markIncomplete(context));
  return { context, takeUp, takenUp, close: () => close(context, { root: releaseRoot, state: releaseState }) };
}

function layerLimits(config: Config): LayerLimits {
  return { unpackedBytes: config.layerUnpackedBytes, ratio: config.layerRatio, inodes: config.layerInodes, entries: config.layerEntries };
}

function holdAll(directories: ReadonlySet<string>): () => void {
  const releases = [...directories].map(holdDirectory);
  return () => {
    for (const release of releases) release();
  };
}

function verification(config: Config): VerificationOptions {
  return {
    policy: config.signaturePolicy, mustExist: config.given.has('signaturePolicy'), namespacePolicies: config.signaturePolicyDir,
    lookasides: config.signatureLookasideDir, verifiers: config.imageVerifierDir, verifierTimeoutMs: config.imageVerifierTimeout,
  };
}

/** Another one after each start of the machine. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The pod cgroup's parent when the kubelet names none. */
function defaultParent(config: Config): string {
  return config.cgroupDriver === 'systemd' ? 'berth.slice' : '/berth';
}

/** Containers that use the image, for who wants to remove it. */
export function users(containers: Iterable<Container>, imageId: string): string[] {
  return [...containers].flatMap((container) => {
    if (container.imageId === imageId) return [`container ${container.id}`];
    const volume = container.imageVolumes.find((each) => each.imageId === imageId);
    return volume ? [`container ${container.id} as volume ${volume.containerPath}`] : [];
  });
}

/** An exit is recorded sooner or later, also when the state directory is full just now. */
function recordExit(context: PodContext, event: NumberedExit, waitMs = 1_000): void {
  try {
    containerExited(context, event);
  } catch (error) {
    context.log.error('an exit cannot be recorded, trying again', { container: event.container, againInMs: waitMs, error: String(error) });
    setTimeout(() => recordExit(context, event, Math.min(waitMs * 2, 30_000)), waitMs).unref();
  }
}

/**
 * The root directory is held to the end: a next daemon must not come while this one takes things away. The state
 * directory cannot be unmounted while its lock is open, so that is let go just before.
 */
async function close(context: PodContext, release: { root: () => void; state: () => void }): Promise<void> {
  const idle = [...context.store.sandboxes.all()].length === 0;
  context.shims.closeAll();
  await context.images.close();
  context.store.close();
  if (idle) await context.network.close();
  release.state();
  if (idle) await context.engine.call('releaseState', { dir: context.roots.state });
  await context.engine.close();
  release.root();
}
