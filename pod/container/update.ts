import { type ContainerConfig, decode, encode, type LinuxContainerResources } from '../../api/cri.ts';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { type PodContext, RUNTIME_TIMEOUT_MS } from '../context.ts';
import { waitFor } from '../operations.ts';
import { resources } from '../spec/resources.ts';
import { knownContainer } from './start.ts';

/**
 * UpdateContainerResources: sets the limits that `asked` names, on a created or running container; those left out
 * (zero or empty) stay. On error the old limits stay. Throws `not-found`, or `wrong-state` for an ended container.
 */
export async function updateContainer(
  context: PodContext,
  id: string,
  asked: LinuxContainerResources | null,
  signal: AbortSignal,
): Promise<void> {
  const container = knownContainer(context, id);
  if (!asked) return;
  await waitFor(context.turns.run(container.id, () => updateInTurn(context, container.id, asked)), signal);
}

async function updateInTurn(context: PodContext, id: string, asked: LinuxContainerResources): Promise<void> {
  const container = knownContainer(context, id);
  if (container.state !== 'created' && container.state !== 'running') {
    throw new RuntimeError('wrong-state', `container ${id} is ${container.state}: its limits cannot be changed any more`);
  }
  try {
    await context.shims.of(container.sandboxId).call('update', {
      container: id, resources: { ...resources(asked, context.host) }, timeoutMs: RUNTIME_TIMEOUT_MS,
    });
  } catch (error) {
    throw whileDoing(`update limits of container ${container.name} (${id})`, error);
  }
  const now = knownContainer(context, id);
  const config = withResources(decode('ContainerConfig', now.config), asked);
  context.store.containers.put({ ...now, config: encode('ContainerConfig', config) });
}

/** The configuration with the asked limits in place of the old ones, for ContainerStatus to read back. */
function withResources(config: ContainerConfig, asked: LinuxContainerResources): ContainerConfig {
  const before = config.linux?.resources;
  const set = Object.entries(asked).filter(([, value]) => value !== '' && value !== '0' && !isEmpty(value));
  const after = { ...(before ?? asked), ...Object.fromEntries(set) } as LinuxContainerResources;
  return { ...config, linux: { security_context: null, ...config.linux, resources: after } };
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
