import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../../api/errors.ts';
import { executes } from '../../host/executes.ts';
import { inParallel } from '../../host/parallel.ts';
import type { PodContext } from '../context.ts';
import type { Shim } from './client.ts';

/** The protocol version that knows `upgrade`. */
const KNOWS_UPGRADE = 2;

/** Upgrades under way at a time. */
const AT_ONCE = 4;

/** How long a shim waits for a moment at which it calls no OCI runtime, in milliseconds. */
const QUIET_LIMIT_MS = 10_000;

/** Pause before a shim that found no such moment is asked again, in milliseconds. */
const AGAIN_MS = 30_000;

/**
 * Has the shims of these sandboxes that are of another build, older or newer, become this daemon's in place. One that
 * cannot stays as it is and serves on; it is tried again by the next daemon. Never rejects.
 */
export async function upgradeShims(context: PodContext, sandboxIds: readonly string[]): Promise<void> {
  await inParallel(AT_ONCE, sandboxIds, (id) => upgradeShim(context, id));
}

async function upgradeShim(context: PodContext, sandboxId: string): Promise<void> {
  const { log, meter, native, shims } = context;
  if (shims.state(sandboxId) !== 'serving') return;
  const shim = shims.of(sandboxId);
  try {
    if (!(await isOther(shim, native))) return;
    const { version } = await shim.call('upgrade', { path: native, timeoutMs: QUIET_LIMIT_MS });
    meter.count('shims_upgraded');
    log.info('shim is upgraded', { sandbox: sandboxId, from: shim.hello.version, to: version });
  } catch (error) {
    if (isKind(error, 'unavailable')) return;
    if (isKind(error, 'wrong-state')) {
      log.debug('shim is busy and upgraded later', { sandbox: sandboxId, againInMs: AGAIN_MS, because: error.message });
      void sleep(AGAIN_MS, undefined, { ref: false }).then(() => upgradeShim(context, sandboxId));
      return;
    }
    meter.count('shim_upgrades_failed');
    log.warn('shim cannot be upgraded and stays as it is', { sandbox: sandboxId, version: shim.hello.version, error: String(error) });
  }
}

/** A shim that knows the call and does not execute this daemon's program. */
async function isOther(shim: Shim, native: string): Promise<boolean> {
  return shim.hello.protocol >= KNOWS_UPGRADE && !(await executes(shim.hello.pid, native));
}
