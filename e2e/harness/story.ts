import test, { type ExecutionContext } from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageStore, type Digests } from '../images/store.ts';
import { discard, startDaemon, type Daemon, type DaemonOptions } from './daemon.ts';
import { leaks, traces } from './leaks.ts';
import { busybox, removePod, runPod, type Pod } from './pod.ts';
import { startRegistry, type Registry } from './registry.ts';

/** What the tests of one file share. */
export type Stage = {
  readonly daemon: Daemon;
  readonly registry: Registry;
  /** The same images behind a password, and behind a token server. */
  readonly guarded: { readonly basic: Registry; readonly bearer: Registry } | undefined;
  /** By `repository:tag`. */
  readonly digests: Readonly<Record<string, Digests>>;
};
export type StoryOptions = {
  /** Options of the daemon besides the story's own registry. */
  readonly daemon?: DaemonOptions;
  /** Tampers with a private copy of the registry's storage, or replaces it. */
  readonly storage?: (storage: string, directory: string) => string;
  /** Also start the two registries that want credentials. */
  readonly guarded?: boolean;
  /** Images pulled before the first test. Default: busybox. */
  readonly images?: readonly string[];
};

/**
 * Sets the stage of a story file: a registry, a berthd that uses it and some images. After the tests of the file the
 * daemon is emptied and stopped, and the file fails when anything of it is left on the machine.
 */
export function story(options: StoryOptions = {}): () => Stage {
  let stage: (Stage & { readonly baseline: Set<string>; readonly directory: string }) | undefined;
  test.before('the daemon starts', async (t) => {
    t.timeout(120_000);
    const directory = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
    const store = await imageStore();
    const storage = options.storage?.(store.storage, directory) ?? store.storage;
    const registry = await startRegistry({ directory, storage });
    const guarded = options.guarded === true ? {
      basic: await startRegistry({ directory, storage, auth: 'basic' }), bearer: await startRegistry({ directory, storage, auth: 'bearer' }),
    } : undefined;
    const registries = [registry, ...Object.values(guarded ?? {})];
    const daemon = await startDaemon({ registries: registries.map(({ host }) => host), ...options.daemon })
      .catch(async (error: unknown) => {
        for (const each of registries) await each.stop();
        throw error;
      });
    stage = { daemon, registry, guarded, digests: store.digests, baseline: traces(daemon), directory };
    for (const image of options.images ?? [busybox]) await daemon.cri.call('PullImage', { image: { image } });
  });
  test.after.always('nothing is left behind', async (t) => {
    if (stage !== undefined) await strike(t, stage);
  });
  return () => {
    if (stage === undefined) throw new Error('the daemon did not start');
    return stage;
  };
}

async function strike(t: ExecutionContext, stage: Stage & { baseline: Set<string>; directory: string }): Promise<void> {
  const { daemon, registry } = stage;
  try {
    const { items } = await daemon.cri.call('ListPodSandbox', {}, 10_000);
    for (const pod of items) await removePod(daemon, pod.id);
    t.deepEqual(await leaks(daemon, stage.baseline), [], 'left on the machine after the last pod was removed');
    await daemon.stop();
    const processes = (await leaks(daemon, new Set([...stage.baseline].filter((trace) => !trace.startsWith('process')))))
      .filter((trace) => trace.startsWith('process'));
    t.deepEqual(processes, [], 'still running after the daemon was stopped');
  } finally {
    await daemon.stop();
    for (const each of [registry, ...Object.values(stage.guarded ?? {})]) await each.stop();
    discard(daemon);
    rmSync(stage.directory, { recursive: true, force: true });
  }
}

/** A pod for one test, removed when the test ends. */
export async function podFor(t: ExecutionContext, daemon: Daemon, name: string, more: object = {}): Promise<Pod> {
  const pod = await runPod(daemon, name, more);
  t.teardown(async () => { await removePod(daemon, pod.id); });
  return pod;
}
