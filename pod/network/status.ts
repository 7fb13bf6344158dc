import { askAll, type PluginRun, type PreparedNetwork } from './chain.ts';
import type { NetworkStatus } from './cni.ts';

/** How long a good answer to STATUS counts, in milliseconds; the kubelet asks every five seconds. */
const FRESH_MS = 4_000;

/** How long the plugins may think about STATUS, in milliseconds: the kubelet takes a slow Status for a dead runtime. */
const ANSWER_MS = 5_000;

/**
 * The NetworkReady condition, asked anew each time but for the plugins' STATUS, whose good answers are kept for a
 * while.
 */
export function networkStatus(run: PluginRun, prepared: () => Promise<PreparedNetwork>): () => Promise<NetworkStatus> {
  let good = { network: '', untilMs: 0 };
  return async () => {
    try {
      const network = await prepared();
      for (const { type } of network.plugins) await run.plugins.path(type);
      const text = JSON.stringify(network);
      if (text !== good.network || performance.now() > good.untilMs) {
        await askAll(run, network, 'STATUS', [], AbortSignal.timeout(ANSWER_MS));
        good = { network: text, untilMs: performance.now() + FRESH_MS };
      }
      return { ready: true, reason: '', message: '' };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { ready: false, reason: 'NetworkPluginNotReady', message };
    }
  };
}
