import type { Log } from '../../api/observe.ts';
import { isPinned } from '../../host/netns.ts';
import { delChain, type PluginRun } from './chain.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';

/**
 * DEL for every attachment of the ledger that `isValid` does not claim, most of them from before a reboot, and the end
 * of its namespace's pin. One that fails stays in the ledger for the next time.
 */
export async function releaseLeftovers(
  run: PluginRun,
  ledger: Ledger,
  log: Log,
  isValid: (podId: string) => boolean,
): Promise<void> {
  for (const entry of await ledger.entries()) {
    const { id } = entry.endpoint;
    if (isValid(id)) continue;
    try {
      await delChain(run, entry.network, whereItIs(entry), entry.result);
      await run.engine.call('unpinNetns', { path: entry.endpoint.netnsPath });
      ledger.forget(id);
    } catch (error) {
      log.warn('left-over network attachment not released', { pod: id, error: String(error) });
    }
  }
}

/** With its namespace where that is still pinned: only then does the bridge plugin take away all its rules. */
function whereItIs({ endpoint }: LedgerEntry): LedgerEntry['endpoint'] {
  return isPinned(endpoint.netnsPath) ? endpoint : { ...endpoint, netnsPath: '' };
}
