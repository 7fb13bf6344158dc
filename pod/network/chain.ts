import { asRuntimeError, RuntimeError, whileDoing } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { isAtLeast, type NetworkConfig } from './config.ts';
import { invoke, type CniCommand } from './invoke.ts';
import type { Plugins } from './plugins.ts';
import { runtimeConfig, type PodFacts } from './runtime-config.ts';

/** A network with all that its plugins are to read, made at ADD and kept, so that DEL gives them the same again. */
export type PreparedNetwork = {
  name: string;
  cniVersion: string;
  disableGC: boolean;
  plugins: ({ type: string } & Record<string, unknown>)[];
};

/** Which pod's interface is meant; `netnsPath` is empty when the namespace is gone. */
export type Endpoint = { id: string; name: string; namespace: string; uid: string; netnsPath: string; ifName: string };

/** What it takes to run plugins. */
export type PluginRun = { engine: Engine; plugins: Plugins; pluginDirs: string[]; timeoutMs: number };

/** Decides what every plugin of the network gets to read: name, version, and `runtimeConfig` by declared capability. */
export function prepare(config: NetworkConfig, cniVersion: string, facts: PodFacts): PreparedNetwork {
  const plugins = config.plugins.map((plugin) => {
    const dynamic = runtimeConfig(plugin, facts);
    return { ...plugin, name: config.name, cniVersion, ...(dynamic === undefined ? {} : { runtimeConfig: dynamic }) };
  });
  return { name: config.name, cniVersion, disableGC: config.disableGC, plugins };
}

/**
 * ADD through the whole chain, each plugin given the result of the one before; returns the last result.
 * When one fails, or `signal` aborts, DEL has been run on all before this throws.
 */
export async function addChain(
  run: PluginRun,
  network: PreparedNetwork,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  let result: Record<string, unknown> | null = null;
  try {
    for (const plugin of network.plugins.filter(hasEffect)) {
      const path = await run.plugins.path(plugin.type);
      const stdin = JSON.stringify(result === null ? plugin : { ...plugin, prevResult: result });
      result = await invoke(run.engine, { path, command: 'ADD', env: parameters(run, endpoint), stdin, timeoutMs: run.timeoutMs }, signal);
    }
    return result ?? { cniVersion: network.cniVersion };
  } catch (error) {
    const undone = await delChain(run, network, endpoint, result).catch(asRuntimeError);
    const failed = whileDoing(`attach pod ${endpoint.id} to network ${network.name}`, error);
    throw undone === undefined
      ? failed
      : new RuntimeError(failed.kind, `${failed.message}; undoing it failed too: ${undone.message}`, failed);
  }
}

/**
 * DEL through the chain in reverse, every plugin whatever the others answer; throws the first error with all messages.
 */
export async function delChain(
  run: PluginRun,
  network: PreparedNetwork,
  endpoint: Endpoint,
  result: Record<string, unknown> | null,
  signal?: AbortSignal,
): Promise<void> {
  const errors: RuntimeError[] = [];
  for (const plugin of network.plugins.filter(hasEffect).toReversed()) {
    const stdin = JSON.stringify(result === null ? plugin : { ...plugin, prevResult: result });
    await run.plugins
      .path(plugin.type)
      .then(async (path) => invoke(run.engine, { path, command: 'DEL', env: parameters(run, endpoint), stdin, timeoutMs: run.timeoutMs }, signal))
      .catch((error: unknown) => errors.push(asRuntimeError(error)));
  }
  const [first] = errors;
  if (first === undefined) return;
  throw new RuntimeError(
    first.kind,
    `release pod ${endpoint.id} from network ${network.name}: ${errors.map((error) => error.message).join('; ')}`,
    first,
  );
}

/**
 * Runs STATUS, or GC with the attachments that are still valid, on every plugin of a network that speaks version 1.1
 * or newer; does nothing on an older one, nor GC where the operator set `disableGC`. Throws the first plugin's error.
 */
export async function askAll(
  run: PluginRun,
  network: PreparedNetwork,
  command: Extract<CniCommand, 'GC' | 'STATUS'>,
  valid: { containerID: string; ifname: string }[] = [],
  signal?: AbortSignal,
): Promise<void> {
  if (!isAtLeast(network.cniVersion, '1.1.0') || (command === 'GC' && network.disableGC)) return;
  const extra = command === 'GC' ? { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid } : {};
  for (const plugin of network.plugins) {
    const path = await run.plugins.path(plugin.type);
    const stdin = JSON.stringify({ ...plugin, ...extra });
    await invoke(run.engine, { path, command, env: { CNI_PATH: run.pluginDirs.join(':') }, stdin, timeoutMs: run.timeoutMs }, signal);
  }
}

/**
 * The `portmap` plugin without port mappings passes its input through on ADD and then has nothing to DEL, so it is not
 * run at all: its DEL alone would cost several runs of iptables. This holds for portmap only.
 */
function hasEffect(plugin: PreparedNetwork['plugins'][number]): boolean {
  if (plugin.type !== 'portmap') return true;
  const dynamic = plugin['runtimeConfig'];
  return typeof dynamic === 'object' && dynamic !== null && 'portMappings' in dynamic;
}

function parameters(run: PluginRun, endpoint: Endpoint): Record<string, string> {
  const args = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: endpoint.namespace,
    K8S_POD_NAME: endpoint.name,
    K8S_POD_INFRA_CONTAINER_ID: endpoint.id,
    K8S_POD_UID: endpoint.uid,
  };
  return {
    CNI_CONTAINERID: endpoint.id,
    CNI_NETNS: endpoint.netnsPath,
    CNI_IFNAME: endpoint.ifName,
    CNI_PATH: run.pluginDirs.join(':'),
    CNI_ARGS: Object.entries(args)
      .map(([key, value]) => `${key}=${value}`)
      .join(';'),
  };
}
