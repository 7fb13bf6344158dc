import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { runPod, runScript } from './harness/pod.ts';
import type { Replies } from './harness/replies.ts';
import { story } from './harness/story.ts';

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
const frozenMs = 2000;
const limitMs = 5;

const stage = story({
  daemon: {
    prepare: ({ directory, root }) => {
      const image = join(directory, 'disk');
      run('truncate', '-s', '1G', image);
      run('mkfs.ext4', '-q', '-F', image);
      run('mount', '-o', 'loop', image, root);
    },
  },
});

/** Freezes a file system for `frozenMs`, and thaws it even when this process dies meanwhile. */
async function whileFrozen(path: string, work: () => Promise<void>): Promise<void> {
  const guard = spawn('sh', ['-c', `sleep 10; fsfreeze -u ${path}`], { stdio: 'ignore', detached: true });
  run('fsfreeze', '-f', path);
  try {
    await work();
  } finally {
    run('fsfreeze', '-u', path);
    if (guard.pid !== undefined) process.kill(-guard.pid, 'SIGKILL');
  }
}

test(`with the root's file system frozen, lists and status answer within ${limitMs} ms`, async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all([0, 1, 2, 3, 4].map((i) => runPod(daemon, `cold-${i}`)));
  const containers = await Promise.all(pods.map((pod) => runScript(daemon, pod, 'c', 'while true; do echo line; sleep 0.1; done')));
  const calls: [keyof Replies, object][] = [
    ['ListPodSandbox', {}], ['ListContainers', {}],
    ['ContainerStatus', { container_id: containers[0] }], ['PodSandboxStatus', { pod_sandbox_id: pods[0]?.id }],
  ];
  const took = new Map<string, number[]>(calls.map(([method]) => [method, []]));
  for (const [method, request] of calls) for (let i = 0; i < 50; i += 1) await daemon.cri.call(method, request);
  let pull: Promise<unknown> = Promise.resolve();
  await whileFrozen(daemon.root, async () => {
    pull = daemon.cri.call('PullImage', { image: { image: 'docker.io/berth/bulk:1' } });
    pull.catch(() => undefined);
    const endMs = performance.now() + frozenMs;
    while (performance.now() < endMs) {
      for (const [method, request] of calls) {
        const startedMs = performance.now();
        await daemon.cri.call(method, request, 10_000);
        took.get(method)?.push(performance.now() - startedMs);
      }
      await sleep(2);
    }
  });
  await t.notThrowsAsync(pull, 'a pull that met the frozen disk goes on when it thaws');
  for (const [method, samples] of took) {
    const p99 = samples.sort((a, b) => a - b)[Math.floor(samples.length * 0.99)] ?? Number.POSITIVE_INFINITY;
    t.log(`${method}: ${samples.length} calls, 99th percentile ${p99.toFixed(2)} ms`);
    t.true(p99 <= limitMs, `${method} took ${p99.toFixed(2)} ms`);
  }
});
