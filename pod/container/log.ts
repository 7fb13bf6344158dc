import { RuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../context.ts';
import { knownContainer } from './start.ts';

/**
 * ReopenContainerLog: the new file exists when this returns. Throws `not-found`, or `wrong-state` when the container
 * does not run (no file is made then).
 */
export async function reopenLog(context: PodContext, id: string): Promise<void> {
  const container = knownContainer(context, id);
  if (container.state !== 'running') {
    throw new RuntimeError('wrong-state', `container ${container.id} is ${container.state}: its log is reopened only while it runs`);
  }
  await context.shims.of(container.sandboxId).call('reopenLog', { container: container.id });
}
