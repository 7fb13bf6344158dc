import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inParallel } from '../../host/parallel.ts';
import type { Daemon } from './daemon.ts';
import { repository } from './paths.ts';
import { removePod, runPod, runScript } from './pod.ts';

/** From the start of a stopped daemon until runtime and network are ready, ms; with `npm start`'s look at the set-up. */
export async function startUpMs(daemon: Daemon, setUp: boolean): Promise<number> {
  const fromMs = performance.now();
  if (setUp) execFileSync(join(repository, 'bin/setup'), { stdio: 'inherit' });
  await daemon.start();
  return performance.now() - fromMs;
}

/** From the start of a daemon that was killed while `count` pods ran until it lists all of them as ready, ms. */
export async function restartMs(daemon: Daemon, count: number): Promise<number> {
  const names = Array.from({ length: count }, (_, i) => `restart-${i}`);
  const pods = await inParallel(8, names, async (name) => {
    const pod = await runPod(daemon, name);
    await runScript(daemon, pod, 'c', 'sleep 100000');
    return pod.id;
  });
  await daemon.kill();
  const fromMs = performance.now();
  const starting = daemon.start();
  while ((await readyPods(daemon)) < count) await sleep(5);
  const tookMs = performance.now() - fromMs;
  await starting;
  await inParallel(8, pods, (id) => removePod(daemon, id));
  return tookMs;
}

async function readyPods(daemon: Daemon): Promise<number> {
  const listing = daemon.cri.call('ListPodSandbox', { filter: { state: { state: 'SANDBOX_READY' } } }, 1000);
  return await listing.then(({ items }) => items.length, () => 0);
}
