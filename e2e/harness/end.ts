import { type Daemon, discard } from './daemon.ts';
import { ownProcesses } from './leaks.ts';

/** Ends a daemon and all that it has on the machine, whatever state that is in. */
export async function endDaemon(daemon: Daemon): Promise<void> {
  await daemon.stop();
  for (const { pid } of ownProcesses(daemon)) process.kill(pid, 'SIGKILL');
  discard(daemon);
}
