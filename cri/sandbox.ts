import { decode, type Draft, encode, type PodSandboxFilter, type PodSandboxStatus } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import type { PodContext } from '../pod/context.ts';
import type { Sandbox } from '../pod/record.ts';
import { knownSandbox } from '../pod/sandbox/known.ts';
import { removeSandbox } from '../pod/sandbox/remove.ts';
import { runSandbox } from '../pod/sandbox/run.ts';
import { stopSandbox } from '../pod/sandbox/stop.ts';
import { updateSandbox } from '../pod/sandbox/update.ts';
import { streamedList, wholeList } from './batches.ts';
import { podContainers } from './container.ts';
import { hasId, hasLabels } from './filter.ts';
import { sandboxInfo } from './info.ts';
import { itemsOf } from './items.ts';
import type { RuntimeHandlers } from './server.ts';

/** The rpcs on pod sandboxes. */
export function sandboxHandlers(context: PodContext): RuntimeHandlers {
  return {
    RunPodSandbox: async (request, { signal }) => {
      if (!request.config) throw new RuntimeError('invalid', 'RunPodSandbox without a config');
      return { pod_sandbox_id: await runSandbox(context, request.config, request.runtime_handler, signal) };
    },
    StopPodSandbox: async (request, { signal }) => {
      await stopSandbox(context, request.pod_sandbox_id, signal);
      return {};
    },
    RemovePodSandbox: async (request, { signal }) => {
      await removeSandbox(context, request.pod_sandbox_id, signal);
      return {};
    },
    UpdatePodSandboxResources: async ({ pod_sandbox_id, overhead, resources }, { signal }) => {
      await updateSandbox(context, pod_sandbox_id, { overhead, resources }, signal);
      return {};
    },
    CheckpointPod: async ({ pod_sandbox_id }) => {
      const { id } = knownSandbox(context, pod_sandbox_id);
      throw new RuntimeError('unsupported', `checkpoint sandbox ${id}: whole pods cannot be checkpointed yet, single containers can (CheckpointContainer)`);
    },
    RestorePod: async ({ checkpoint_path }) => {
      throw new RuntimeError('unsupported', `restore a pod from ${checkpoint_path}: pods cannot be restored yet`);
    },
    PodSandboxStatus: async (request) => {
      const sandbox = knownSandbox(context, request.pod_sandbox_id);
      const info = request.verbose ? sandboxInfo(context, sandbox) : {};
      return {
        status: sandboxStatus(sandbox),
        info,
        containers_statuses: podContainers(context, sandbox.id),
        timestamp: `${context.changes.stampNs()}`,
      };
    },
    ListPodSandbox: async ({ filter }) => wholeList(await listed(context, filter)),
    StreamPodSandboxes: async function* ({ filter }) {
      yield* streamedList(await listed(context, filter));
    },
  };
}

function listed({ store }: PodContext, filter: PodSandboxFilter | null): Promise<Buffer[]> {
  return itemsOf(store.sandboxes.all(), (one) => matches(one, filter), listItem);
}

function matches(sandbox: Sandbox, filter: PodSandboxFilter | null): boolean {
  if (sandbox.state === 'creating') return false;
  if (!filter) return true;
  return (
    hasId(sandbox.id, filter.id) &&
    (!filter.state || filter.state.state === stateOf(sandbox)) &&
    hasLabels(sandbox.labels, filter.label_selector)
  );
}

const items = new WeakMap<Sandbox, Buffer>();

/** The sandbox's entry of a list, encoded once for each record: a record never changes. */
function listItem(sandbox: Sandbox): Buffer {
  const ready = items.get(sandbox);
  if (ready) return ready;
  const item = encode('PodSandbox', common(sandbox));
  items.set(sandbox, item);
  return item;
}

/** The status of a sandbox as its record says. */
export function sandboxStatus(sandbox: Sandbox): Draft<PodSandboxStatus> {
  const [ip = '', ...more] = sandbox.attachment?.ips ?? [];
  const { network, pid, ipc } = sandbox.namespaces;
  return {
    ...common(sandbox),
    network: { ip: sandbox.state === 'ready' ? ip : '', additional_ips: more.map((each) => ({ ip: each })) },
    linux: { namespaces: { options: { network, pid, ipc, ...userNamespace(sandbox) } } },
  };
}

function userNamespace(sandbox: Sandbox): object {
  const options = decode('PodSandboxConfig', sandbox.config).linux?.security_context?.namespace_options;
  return options?.userns_options ? { userns_options: options.userns_options } : {};
}

function common(sandbox: Sandbox): Draft<PodSandboxStatus> {
  return {
    id: sandbox.id,
    metadata: { name: sandbox.name, uid: sandbox.uid, namespace: sandbox.namespace, attempt: sandbox.attempt },
    state: stateOf(sandbox),
    created_at: sandbox.createdAtNs,
    labels: sandbox.labels,
    annotations: sandbox.annotations,
    runtime_handler: sandbox.handler,
  };
}

function stateOf(sandbox: Sandbox): 'SANDBOX_READY' | 'SANDBOX_NOTREADY' {
  return sandbox.state === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY';
}
