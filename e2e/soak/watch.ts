import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../harness/daemon.ts';
import type { Replies } from '../harness/replies.ts';

/** The lists of pods and containers, asked for each second as the kubelet does. */
export type Watch = {
  /** CONTAINER_RUNNING and so on; '' when it is not listed. */
  readonly container: (id: string) => string;
  /** Resolves at the next lists. Never rejects. */
  readonly next: () => Promise<void>;
  readonly pods: () => Replies['ListPodSandbox']['items'];
  readonly stop: () => Promise<void>;
};

const PERIOD_MS = 1000;

/** Looks until stopped; `failed` is told of each list that failed. */
export function startWatch(daemon: Daemon, failed: (error: unknown) => void): Watch {
  let pods: Replies['ListPodSandbox']['items'] = [];
  let states = new Map<string, string>();
  let stopped = false;
  let { promise, resolve } = Promise.withResolvers<void>();
  const look = async (): Promise<void> => {
    const listed = await daemon.cri.call('ListPodSandbox', {}, 60_000);
    const { containers } = await daemon.cri.call('ListContainers', {}, 60_000);
    pods = listed.items;
    states = new Map(containers.map(({ id, state }) => [id, state]));
    const wake = resolve;
    ({ promise, resolve } = Promise.withResolvers<void>());
    wake();
  };
  const looking = (async () => {
    while (!stopped) {
      await look().catch(failed);
      await sleep(PERIOD_MS);
    }
    resolve();
  })();
  return {
    container: (id) => states.get(id) ?? '',
    next: () => promise,
    pods: () => pods,
    stop: async () => {
      stopped = true;
      await looking;
    },
  };
}
