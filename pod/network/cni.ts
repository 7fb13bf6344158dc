import { access } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';
import { addChain, askAll, delChain, prepare, type Endpoint, type PluginRun, type PreparedNetwork } from './chain.ts';
import type { NetworkConfig } from './config.ts';
import { DEFAULT_RANGES, inPodCidrs, writeDefault } from './default.ts';
import { configDirectory, type ConfigState } from './directory.ts';
import { openLedger, type Ledger } from './ledger.ts';
import { masquerade } from './masquerade.ts';
import { pluginsIn } from './plugins.ts';
import { addresses } from './result.ts';
import { bandwidthOf, type Bandwidth, type PodFacts, type PortMapping } from './runtime-config.ts';

export type { Bandwidth, PortMapping } from './runtime-config.ts';

/**
 * A pod's place in a network. `configJson` is what the plugins read at ADD and `resultJson` what they answered, both
 * needed for DEL; `ips` in the plugins' order, the pod's primary address first, without prefix length.
 */
export type Attachment = {
  network: string;
  ifName: string;
  configJson: string;
  resultJson: string;
  ips: string[];
  portMappings: PortMapping[];
};

/** Which pod: its sandbox id and what the kubelet calls it; `netnsPath` is empty when the namespace is gone. */
export type PodIdentity = { id: string; name: string; namespace: string; uid: string; netnsPath: string };

/** A pod to attach. `bandwidth` left out: as its annotations say. */
export type NetworkPod = PodIdentity & {
  portMappings: PortMapping[];
  annotations: Record<string, string>;
  dns: { servers: string[]; searches: string[]; options: string[] } | null;
  bandwidth?: Bandwidth;
};

/** The NetworkReady condition of CRI's Status. */
export type NetworkStatus = { ready: boolean; reason: string; message: string };

/** The pods' network, by the CNI plugins that the configuration directory names. */
export type Network = {
  /** Ready when there is a valid configuration, all its plugins are installed and none says otherwise to STATUS. */
  status(): Promise<NetworkStatus>;
  /** ADD. On error, or when `signal` aborts, nothing of the attachment is left (DEL was run). */
  attach(pod: NetworkPod, signal: AbortSignal): Promise<Attachment>;
  /**
   * DEL; may be repeated, and is right also for a pod whose ADD never finished (`attachment` null): what was noted at its
   * start, or else the network of now, is released. Throws when a plugin refuses; then try again later.
   */
  detach(pod: PodIdentity, attachment: Attachment | null, signal: AbortSignal): Promise<void>;
  /** The node's pod range from UpdateRuntimeConfig, for the default network and plugins with the capability ipRanges; empty is ignored. */
  setPodCidr(cidr: string): void;
  /** Releases what pods other than these left behind, on disk since an earlier boot and (CNI ≥ 1.1) in the plugins. */
  collect(valid: string[]): Promise<void>;
};

export type NetworkOptions = {
  configDir: string;
  pluginDirs: string[];
  engine: Engine;
  /** Write the default network when the configuration directory is empty. */
  allowDefault: boolean;
  /** Pod ranges of the default network, CIDR. */
  defaultRanges?: string[];
  log: Log;
  /** Where attachments are noted beyond the boot, below the root directory. */
  cacheDir: string;
};

const IF_NAME = 'eth0';

/** How long an answer to STATUS counts, in milliseconds; the kubelet asks every five seconds. */
const STATUS_FRESH_MS = 4_000;

/** Opens the network; never fails for want of a configuration or plugin, `status` tells that. */
export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const plugins = pluginsIn(options.pluginDirs, options.engine);
  const run: PluginRun = { engine: options.engine, plugins, pluginDirs: options.pluginDirs };
  const read = configDirectory(options.configDir);
  const ledger = await openLedger(options.cacheDir, options.log);
  const withoutDefault = await defaultIfEmpty(options, run, await read());
  const versionOf = versionChoice(run);
  const { relieve } = masquerade(options.engine, options.log);
  let podCidrs: string[] = [];

  const prepared = async (facts: PodFacts): Promise<PreparedNetwork> => {
    const { config, problems } = await read();
    if (config === null) throw new RuntimeError('unavailable', noNetwork(options.configDir, problems, withoutDefault));
    const relieved = await relieve(inPodCidrs(config, podCidrs, networkInterfaces()));
    return prepare(relieved, await versionOf(config), facts);
  };
  return {
    status: statusOf(run, async () => prepared(NOTHING_KNOWN)),
    attach: async (pod, signal) => {
      const portMappings = pod.portMappings.filter(({ hostPort }) => hostPort > 0);
      const bandwidth = pod.bandwidth ?? bandwidthOf(pod.annotations);
      const network = await prepared({ portMappings, annotations: pod.annotations, dns: pod.dns, bandwidth, podCidrs });
      return attach(run, ledger, network, endpointOf(pod), portMappings, signal);
    },
    detach: async (pod, attachment, signal) => {
      const known = attachment === null ? await ledger.find(pod.id) : fromAttachment(attachment);
      const network = known?.network ?? (await prepared(NOTHING_KNOWN).catch(() => null));
      if (network !== null) await delChain(run, network, endpointOf(pod), known?.result ?? null, signal);
      ledger.forget(pod.id);
    },
    setPodCidr: (cidr) => {
      if (cidr !== '') podCidrs = cidr.split(',').map((range) => range.trim()).filter((range) => /^[0-9a-fA-F.:]+\/\d{1,3}$/.test(range));
    },
    collect: async (valid) => collect(run, ledger, options.log, new Set(valid), await prepared(NOTHING_KNOWN).catch(() => null)),
  };
}

const NOTHING_KNOWN: PodFacts = { portMappings: [], annotations: {}, dns: null, bandwidth: null, podCidrs: [] };

const endpointOf = ({ id, name, namespace, uid, netnsPath }: PodIdentity): Endpoint => ({ id, name, namespace, uid, netnsPath, ifName: IF_NAME });

async function attach(run: PluginRun, ledger: Ledger, network: PreparedNetwork, endpoint: Endpoint, portMappings: PortMapping[], signal: AbortSignal): Promise<Attachment> {
  ledger.note({ endpoint, network, result: null });
  const result = await addChain(run, network, endpoint, signal);
  ledger.note({ endpoint, network, result });
  return {
    network: network.name,
    ifName: endpoint.ifName,
    configJson: JSON.stringify(network),
    resultJson: JSON.stringify(result),
    ips: addresses(result),
    portMappings,
  };
}

function fromAttachment(attachment: Attachment): { network: PreparedNetwork; result: Record<string, unknown> } {
  return { network: JSON.parse(attachment.configJson), result: JSON.parse(attachment.resultJson) };
}

async function collect(run: PluginRun, ledger: Ledger, log: Log, valid: Set<string>, current: PreparedNetwork | null): Promise<void> {
  for (const { endpoint, network, result } of await ledger.entries()) {
    if (valid.has(endpoint.id)) continue;
    const { netnsPath } = endpoint;
    const isPinned = netnsPath !== '' && (await access(netnsPath).then(() => true, () => false));
    await delChain(run, network, { ...endpoint, netnsPath: isPinned ? netnsPath : '' }, result).then(
      () => ledger.forget(endpoint.id),
      (error: unknown) => log.warn('left-over network attachment not released', { pod: endpoint.id, error: String(error) }),
    );
  }
  const attachments = [...valid].map((containerID) => ({ containerID, ifname: IF_NAME }));
  if (current !== null) await askAll(run, current, 'GC', attachments);
}

async function defaultIfEmpty(options: NetworkOptions, run: PluginRun, state: ConfigState): Promise<string> {
  if (!options.allowDefault || state.files.length > 0) return '';
  try {
    await writeDefault(options.configDir, run.plugins, options.defaultRanges ?? DEFAULT_RANGES);
    options.log.info('no CNI configuration found, wrote the default network', { dir: options.configDir });
    return '';
  } catch (error) {
    return `; the default network could not be written: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Lists that name several versions are run with the newest that all their plugins know; those with one are taken at their word. */
function versionChoice(run: PluginRun): (config: NetworkConfig) => Promise<string> {
  return async ({ cniVersions, plugins }) => {
    const [first, ...others] = cniVersions;
    if (others.length === 0) return first;
    const answers = await Promise.all(plugins.map(async ({ type }) => run.plugins.versions(type)));
    return cniVersions.find((version) => answers.every((known) => known.includes(version))) ?? first;
  };
}

function statusOf(run: PluginRun, prepared: () => Promise<PreparedNetwork>): () => Promise<NetworkStatus> {
  let fresh: { untilMs: number; key: string } = { untilMs: 0, key: '' };
  return async () => {
    try {
      const network = await prepared();
      for (const { type } of network.plugins) await run.plugins.path(type);
      const key = JSON.stringify(network);
      if (key !== fresh.key || performance.now() > fresh.untilMs) {
        await askAll(run, network, 'STATUS');
        fresh = { untilMs: performance.now() + STATUS_FRESH_MS, key };
      }
      return { ready: true, reason: '', message: '' };
    } catch (error) {
      return { ready: false, reason: 'NetworkPluginNotReady', message: error instanceof Error ? error.message : String(error) };
    }
  };
}

function noNetwork(dir: string, problems: string[], withoutDefault: string): string {
  const found = problems.length > 0 ? `no valid CNI configuration in ${dir}: ${problems.join('; ')}` : `no CNI configuration in ${dir}: put a .conflist there`;
  return `${found}${withoutDefault}`;
}
