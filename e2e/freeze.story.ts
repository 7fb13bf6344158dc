import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { mountDisk, whileFrozen } from './harness/disk.ts';
import { runPod, runScript } from './harness/pod.ts';
import type { Replies } from './harness/replies.ts';
import { story } from './harness/story.ts';

const frozenMs = 2000;
/** The 99th percentile that lists and status keep to. */
const limitMs = 5;
const deadlineMs = 30_000;

const stage = story({
  daemon: {
    prepare: ({ directory, root }) => mountDisk(join(directory, 'disk'), root, { size: '1G' }),
  },
});

type Took = { readonly method: keyof Replies; readonly ms: readonly number[] };

/** Each call again and again for `durationMs`: how long it took, ms. */
async function measure(calls: readonly [keyof Replies, object][], durationMs: number): Promise<Took[]> {
  const { cri } = stage().daemon;
  const took = calls.map(([method]) => ({ method, ms: [] as number[] }));
  for (const endMs = performance.now() + durationMs; performance.now() < endMs; await sleep(1)) {
    for (const [i, [method, request]] of calls.entries()) {
      const startedMs = performance.now();
      await cri.call(method, request, deadlineMs);
      took[i]?.ms.push(performance.now() - startedMs);
    }
  }
  return took;
}

/** What that share of all the calls did not take longer than, ms. */
function quantile(took: readonly Took[], share: number): number {
  const sorted = took.flatMap(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.POSITIVE_INFINITY;
}

/** The 99th percentile and the slowest, of all calls and of each. */
function told(took: readonly Took[]): string {
  const figures = (some: readonly Took[]) => `${quantile(some, 0.99).toFixed(1)} (${quantile(some, 1).toFixed(1)})`;
  return [`all ${figures(took)}`, ...took.map((each) => `${each.method} ${figures([each])}`)].join(', ');
}

test(`with the root's file system frozen, lists and status answer within ${limitMs} ms`, async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all([0, 1, 2, 3, 4].map((i) => runPod(daemon, `cold-${i}`)));
  const script = 'while true; do echo line; sleep 0.1; done';
  const containers = await Promise.all(pods.map((pod) => runScript(daemon, pod, 'c', script)));
  const calls: [keyof Replies, object][] = [
    ['ListPodSandbox', {}],
    ['ListContainers', {}],
    ['ListImages', {}],
    ['ContainerStatus', { container_id: containers[0] }],
    ['PodSandboxStatus', { pod_sandbox_id: pods[0]?.id }],
  ];
  // Neither side's code is compiled for speed before it has run for a while.
  await measure(calls, frozenMs);
  let pull: Promise<unknown> = Promise.resolve();
  const attempt = async (): Promise<'in time' | 'late' | 'the machine has other work'> => {
    const before = await measure(calls, frozenMs);
    let frozen: Took[] = [];
    await whileFrozen(daemon.root, async () => {
      pull = daemon.cri.call('PullImage', { image: { image: 'docker.io/berth/bulk:1' } });
      pull.catch(() => undefined);
      frozen = await measure(calls, frozenMs);
    });
    await t.notThrowsAsync(pull, 'a pull that met the frozen disk goes on when it thaws');
    t.log(`99th percentile (slowest), ms, frozen: ${told(frozen)}`);
    t.log(`99th percentile (slowest), ms, before: ${told(before)}`);
    const late = quantile(frozen, 0.99) > limitMs;
    return late && quantile(before, 0.99) > limitMs ? 'the machine has other work' : late ? 'late' : 'in time';
  };
  // Other work of the machine may come in between: what is late for the disk is late each time.
  let outcome = await attempt();
  for (let again = 0; again < 4 && outcome === 'late'; again++) {
    await daemon.cri.call('RemoveImage', { image: { image: 'docker.io/berth/bulk:1' } });
    outcome = await attempt();
  }
  t.not(outcome, 'late');
  if (outcome !== 'in time') t.log(`${outcome}: ${limitMs} ms are not asked for`);
});

/** More images than the daemon has threads for files: pulling one writes to the frozen disk. */
const unpulled = [
  ...['layers', 'zstd', 'plain'].map((name) => `docker.io/berth/${name}:1`),
  ...['uid', 'username', 'uid-group', 'username-group'].map(
    (user) => `gcr.io/k8s-staging-cri-tools/test-image-user-${user}:latest`,
  ),
];

test("with the root's file system frozen, Status, stats and ExecSync answer", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'asked');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const exec = { container_id: container, cmd: ['true'], timeout: 10 };
  await daemon.cri.call('ExecSync', exec);
  const calls: [keyof Replies, object][] = [
    ['Status', {}],
    ['ListContainerStats', {}],
    ['ExecSync', exec],
  ];
  let pulls: Promise<unknown>[] = [];
  await whileFrozen(daemon.root, async () => {
    pulls = unpulled.map((image) => daemon.cri.call('PullImage', { image: { image } }));
    for (const pull of pulls) pull.catch(() => undefined);
    t.log(told(await measure(calls, frozenMs / 2)));
  });
  await t.notThrowsAsync(Promise.all(pulls));
});
