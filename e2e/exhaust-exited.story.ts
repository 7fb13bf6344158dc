import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { writeExited } from './harness/exited.ts';
import { exitOf, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

/** How many exited containers there are; `BERTH_EXITED` for more. */
const count = Number(process.env['BERTH_EXITED'] ?? 5000);

const stage = story({
  keepPods: true,
  daemon: {
    prepare: ({ state }) => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2G,mode=0711', 'berth-e2e', state]);
      writeExited(state, count);
    },
  },
});

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** What a call takes, ms, and the slowest answer that others got meanwhile. */
async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number; slowestMs: number }> {
  const { cri } = stage().daemon;
  let ended = false;
  let slowestMs = 0;
  const others = async (): Promise<void> => {
    while (!ended) {
      const fromMs = performance.now();
      await cri.call('Version', {});
      slowestMs = Math.max(slowestMs, performance.now() - fromMs);
    }
  };
  const fromMs = performance.now();
  const watching = others();
  const result = await work();
  const ms = performance.now() - fromMs;
  ended = true;
  await watching;
  return { result, ms, slowestMs };
}

test.serial(`${count} exited containers are listed whole, by filter and as a stream, and others are answered meanwhile`, async (t) => {
  const { daemon } = stage();
  const tell = (what: string, { ms, slowestMs }: { ms: number; slowestMs: number }) =>
    t.log(`${what}: ${ms.toFixed(0)} ms, slowest other answer ${slowestMs.toFixed(0)} ms, daemon ${residentMiB(daemon.pid()).toFixed(0)} MiB`);
  for (const what of ['first list', 'second list']) {
    const whole = await timed(async () => (await daemon.cri.call('ListContainers', {})).containers.length);
    t.is(whole.result, count);
    tell(what, whole);
  }
  const running = await timed(() => daemon.cri.call('ListContainers', { filter: { state: { state: 'CONTAINER_RUNNING' } } }));
  t.deepEqual(running.result.containers, []);
  tell('running ones', running);
  const stats = await timed(() => daemon.cri.call('ListContainerStats', {}));
  t.deepEqual(stats.result.stats, []);
  tell('statistics', stats);
  const streamed = await timed(async () => {
    const ids = new Set<string>();
    for await (const { containers } of daemon.cri.stream('StreamContainers', {})) for (const { id } of containers) ids.add(id);
    return ids.size;
  });
  t.is(streamed.result, count);
  tell('stream', streamed);
});

test.serial('pods run beside them, also after a restart, and they are removed', async (t) => {
  const { daemon } = stage();
  await daemon.kill();
  const fromMs = performance.now();
  await daemon.start();
  t.log(`restart: ${(performance.now() - fromMs).toFixed(0)} ms, daemon ${residentMiB(daemon.pid()).toFixed(0)} MiB`);
  const pod = await runPod(daemon, 'beside');
  t.is((await exitOf(daemon, await runScript(daemon, pod, 'c', 'exit 4'))).exit_code, 4);
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: pod.id });
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  t.true(items.length > 0);
  // All of them would take the runtime minutes.
  const [first] = items;
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id: first?.id });
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, items.length - 1);
});
