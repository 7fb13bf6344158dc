import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { childrenOf } from '../harness/engine.ts';
import { leaks } from '../harness/leaks.ts';
import { exitOf, podConfig, removePod, runPod, runScript } from '../harness/pod.ts';
import { until } from '../harness/process.ts';
import type { Stage } from '../harness/story.ts';
import type { Fault } from './fault.ts';
import type { Operation } from './operations.ts';
import type { Victim } from './order.ts';

/**
 * One operation, killed at its `at`th effect (0: at none), then called again; checks that it succeeds, that exactly one
 * object came of it and that nothing is left when that is removed. Returns the effect at which it was killed, undefined
 * when it had fewer.
 */
export async function killedAt(
  t: ExecutionContext,
  stage: Stage,
  fault: Fault,
  point: { operation: Operation; at: number; victim: Victim; delayMs?: number },
): Promise<string | undefined> {
  const { daemon } = stage;
  const prepared = await point.operation.prepare(daemon);
  const engines = childrenOf(daemon.pid(), 'berth-engine');
  await fault.arm(daemon, point.at, point.victim, point.delayMs);
  const first = await prepared.call().then(() => undefined, (error: unknown) => error);
  const hit = await fault.disarm(daemon);
  if (hit === undefined) {
    if (first !== undefined) throw first;
  } else if (point.victim === 'engine') {
    await until(() => childrenOf(daemon.pid(), 'berth-engine').some((pid) => !engines.includes(pid)), 60_000, 'a new engine');
    await prepared.call();
  } else {
    await until(() => !daemon.isRunning(), 60_000, 'the end of the daemon');
    await daemon.start();
    await prepared.call();
  }
  await prepared.check(t);
  await giveBack(t, stage);
  return hit;
}

/**
 * A daemon that finds a pod that runs, one half made and one half removed is killed with its engine at the `at`th effect
 * of its start; checks that the next one has what was whole, that both retries succeed and that nothing is left.
 */
export async function startKilledAt(t: ExecutionContext, stage: Stage, fault: Fault, at: number): Promise<string | undefined> {
  const { daemon } = stage;
  const pod = await runPod(daemon, 'whole');
  const container = await runScript(daemon, pod, 'c', 'sleep 1; exit 9');
  const going = await runPod(daemon, 'going');
  await runScript(daemon, going, 'c', 'sleep 1000');
  await cutOff(daemon, fault, 'unpinNetns sent', () => daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: going.id }));
  await daemon.start();
  const coming = podConfig(daemon, 'coming');
  const run = () => daemon.cri.call('RunPodSandbox', { config: coming });
  await cutOff(daemon, fault, 'spawnShim answered', run);

  fault.armStart(at, 'both');
  await daemon.start().catch(() => undefined);
  await settled(daemon, fault);
  const hit = await fault.disarm(daemon);
  if (!daemon.isRunning()) await daemon.start();
  const { pod_sandbox_id } = await run();
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: going.id });
  t.is((await exitOf(daemon, container)).exit_code, 9);
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  t.deepEqual(items.map((item) => [item.id, item.state]).sort(), [pod.id, pod_sandbox_id].map((id) => [id, 'SANDBOX_READY']).sort());
  await giveBack(t, stage);
  return hit;
}

/** Waits until a started daemon has done in the background what it has to: until nothing came of it for a while. */
async function settled(daemon: Stage['daemon'], fault: Fault): Promise<void> {
  let seen = -1;
  let since = performance.now();
  const isQuiet = (): boolean => {
    const now = fault.effects().length;
    if (now !== seen) since = performance.now();
    seen = now;
    return !daemon.isRunning() || performance.now() - since > QUIET_MS;
  };
  await until(isQuiet, 60_000, 'the daemon to do nothing any more');
}

/** Longer than the daemon pauses between one step of its recovery and the next, in milliseconds. */
const QUIET_MS = 700;

/** Kills the daemon in the middle of a call, at the effect of that name. */
async function cutOff(daemon: Stage['daemon'], fault: Fault, effect: string, call: () => Promise<unknown>): Promise<void> {
  await fault.arm(daemon, 0, 'daemon');
  const cut = call().catch(() => undefined);
  await until(() => fault.effects().includes(effect), 10_000, effect);
  await daemon.kill();
  await cut;
}

/**
 * One operation with the shim of its pod killed at the `at`th effect; checks that pods without shim are shown as lost,
 * with all their containers ended, that the kubelet can remove them and make a new one, and that nothing is left.
 */
export async function shimKilledAt(
  t: ExecutionContext,
  stage: Stage,
  fault: Fault,
  point: { operation: Operation; at: number },
): Promise<string | undefined> {
  const { daemon } = stage;
  const prepared = await point.operation.prepare(daemon);
  await fault.arm(daemon, point.at, 'shim');
  const first = await prepared.call().then(() => undefined, (error: unknown) => error);
  const hit = await fault.disarm(daemon);
  if (hit === undefined && first !== undefined) throw first;
  const lost = new Set<string>();
  await until(async () => (await livingLost(daemon, lost)).length === 0, 60_000, 'the end of every pod whose shim is gone');
  await giveBack(t, stage);
  await removePod(daemon, (await runPod(daemon, 'after')).id);
  return hit && `${hit} (pods lost: ${lost.size})`;
}

/** What is shown as alive of pods that have lost their shims; those are added to `lost`. */
async function livingLost({ cri }: Stage['daemon'], lost: Set<string>): Promise<string[]> {
  const { items } = await cri.call('ListPodSandbox', {});
  for (const { id } of items) {
    const { info } = await cri.call('PodSandboxStatus', { pod_sandbox_id: id, verbose: true });
    if ((JSON.parse(info['info'] ?? '{}') as { shim?: string }).shim === 'lost') lost.add(id);
  }
  const { containers } = await cri.call('ListContainers', {});
  const ready = items.filter((pod) => lost.has(pod.id) && pod.state === 'SANDBOX_READY');
  const running = containers.filter((one) => lost.has(one.pod_sandbox_id) && one.state !== 'CONTAINER_EXITED');
  return [...ready, ...running].map(({ id }) => id);
}

/** Removes all pods, and checks that nothing of them or of a pull is left. */
async function giveBack(t: ExecutionContext, { daemon, baseline }: Stage): Promise<void> {
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  await Promise.all(items.map((pod) => removePod(daemon, pod.id)));
  t.deepEqual(await leaks(daemon, baseline), []);
  await until(() => layersOf(daemon).length <= 1, 60_000, 'the end of all layers but busybox');
}

function layersOf({ root }: Stage['daemon']): string[] {
  return [...readdirSync(join(root, 'layers')), ...readdirSync(join(root, 'tmp'))];
}
