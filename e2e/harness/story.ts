import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { imageStore, type Digests } from '../images/store.ts';
import { startDaemon, type Daemon, type DaemonOptions } from './daemon.ts';
import { endDaemon } from './end.ts';
import { leaks, traces } from './leaks.ts';
import { busybox, removePod } from './pod.ts';
import { startRegistry, type Auth, type Registry } from './registry.ts';

/** What the tests of one file share. */
export type Stage = {
  readonly daemon: Daemon;
  readonly registry: Registry;
  /** The same images behind a password (`basic`) and behind a token server (`bearer`). */
  readonly guarded: ReadonlyMap<Auth, Registry>;
  /** By `repository:tag`. */
  readonly digests: Readonly<Record<string, Digests>>;
  /** What was there of the daemon before its first pod. */
  readonly baseline: ReadonlySet<string>;
};
export type StoryOptions = {
  /** Options of the daemon besides the story's own registry. */
  readonly daemon?: DaemonOptions;
  /** Replaces the registry's storage, e.g. by a tampered copy below `directory`. */
  readonly storage?: (storage: string, directory: string) => string;
  /** Also start the registries that want credentials. */
  readonly guarded?: boolean;
  /** Images pulled before the first test. Default: busybox. */
  readonly images?: readonly string[];
  /** Pods live from one test to the next; the last one removes them. */
  readonly keepPods?: boolean;
};

/**
 * Sets the stage of a story file: a registry, a berthd that uses it and some images. After each test all pods are
 * removed. At the end the daemon is stopped, and the file fails when anything of it or its pods is left on the machine.
 */
export function story(options: StoryOptions = {}): () => Stage {
  const undo: (() => Promise<void> | void)[] = [];
  let stage: Stage | undefined;
  test.before('the daemon starts', async (t) => {
    t.timeout(120_000);
    stage = await set(options, undo);
  });
  test.afterEach.always('the pods are removed', async () => {
    if (stage !== undefined && options.keepPods !== true) await removePods(stage.daemon);
  });
  test.after.always('nothing is left behind', async (t) => {
    try {
      if (stage !== undefined) await checkLeaks(t, stage);
    } finally {
      for (const step of undo.reverse()) await step();
    }
  });
  return () => {
    if (stage === undefined) throw new Error('the daemon did not start');
    return stage;
  };
}

async function set(options: StoryOptions, undo: (() => Promise<void> | void)[]): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
  undo.push(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const store = await imageStore();
  const storage = options.storage?.(store.storage, directory) ?? store.storage;
  const serve = async (auth: Auth): Promise<Registry> => {
    const registry = await startRegistry({ directory, storage, auth });
    undo.push(registry.stop);
    return registry;
  };
  const registry = await serve('none');
  const guarded = new Map<Auth, Registry>();
  if (options.guarded === true) for (const auth of ['basic', 'bearer'] as const) guarded.set(auth, await serve(auth));
  const registries = [registry, ...guarded.values()].map(({ host }) => host);
  const daemon = await startDaemon({ registries, ...options.daemon });
  undo.push(() => endDaemon(daemon));
  const stage = { daemon, registry, guarded, digests: store.digests, baseline: traces(daemon) };
  for (const image of options.images ?? [busybox]) await daemon.cri.call('PullImage', { image: { image } });
  return stage;
}

async function removePods(daemon: Daemon): Promise<void> {
  if (!daemon.isRunning()) await daemon.start();
  const { items } = await daemon.cri.call('ListPodSandbox', {}, 60_000);
  await Promise.all(items.map((pod) => removePod(daemon, pod.id)));
}

async function checkLeaks(t: ExecutionContext, stage: Stage): Promise<void> {
  const { daemon, baseline } = stage;
  t.deepEqual(await leaks(daemon, baseline), [], 'left on the machine after the last pod was removed');
  await daemon.stop();
  const withoutDaemon = new Set([...baseline].filter((trace) => !/^process berth/.test(trace)));
  t.deepEqual(await leaks(daemon, withoutDaemon), [], 'left on the machine after the daemon was stopped');
}
