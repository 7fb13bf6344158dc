import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';
import { addChain, askAll, delChain, type Endpoint, type PluginRun, type PreparedNetwork } from './chain.ts';
import { releaseLeftovers } from './collect.ts';
import { currentNetwork, NO_POD } from './current.ts';
import { openLedger } from './ledger.ts';
import { pluginsIn } from './plugins.ts';
import { addresses } from './result.ts';
import { type Bandwidth, bandwidthOf, type PortMapping } from './runtime-config.ts';
import { networkStatus } from './status.ts';

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
   * DEL; may be repeated, and is right also for a pod whose ADD never finished (`attachment` null): what was noted at
   * its start, or else the network of now, is released. Throws when a plugin refuses; then try again later.
   */
  detach(pod: PodIdentity, attachment: Attachment | null, signal: AbortSignal): Promise<void>;
  /** Ids of the pods whose attachments are noted beyond the boot. */
  noted(): Promise<string[]>;
  /** Notes an attachment that is not noted any more. */
  note(pod: PodIdentity, attachment: Attachment): void;
  /** What was noted of a pod that is released goes; a daemon that died between may have kept it. */
  forget(id: string): void;
  /**
   * The node's pod range from UpdateRuntimeConfig, for the default network and plugins with the capability ipRanges;
   * empty is ignored.
   */
  setPodCidr(cidr: string): void;
  /** Releases what pods other than these left behind: on disk since an earlier boot, and in plugins that know GC. */
  collect(valid: string[]): Promise<void>;
  /** For a daemon that ends: takes away rules on the host that served all pods, where no pod is left on the bridge. */
  close(): Promise<void>;
};

export type NetworkOptions = {
  configDir: string;
  pluginDirs: string[];
  /** Longest that one plugin may take to attach a pod, in milliseconds. */
  timeoutMs: number;
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

/** Opens the network; never fails for want of a configuration or plugin, `status` tells that. */
export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const { engine, log, pluginDirs } = options;
  const run: PluginRun = { engine, plugins: pluginsIn(pluginDirs, engine), pluginDirs, timeoutMs: options.timeoutMs };
  const ledger = await openLedger(options.cacheDir, log);
  const current = await currentNetwork(options, run);
  /** Pods attached in this life of the daemon: never leftovers, whatever `collect` is told. */
  const attached = new Set<string>();
  let collecting: Promise<unknown> = Promise.resolve();

  const collect = async (valid: Set<string>): Promise<void> => {
    await releaseLeftovers(run, ledger, log, (id) => valid.has(id) || attached.has(id));
    const network = await current.prepared(NO_POD).catch(() => null);
    if (network === null) return;
    const attachments = [...new Set([...valid, ...attached])].map((containerID) => ({ containerID, ifname: IF_NAME }));
    const asked = askAll(run, network, 'GC', attachments);
    collecting = asked.catch(() => undefined);
    await asked;
  };
  return {
    status: networkStatus(run, async () => current.prepared(NO_POD)),
    attach: async (pod, signal) => {
      attached.add(pod.id);
      await collecting;
      const portMappings = pod.portMappings.filter(({ hostPort }) => hostPort > 0);
      const bandwidth = pod.bandwidth ?? bandwidthOf(pod.annotations);
      const network = await current.prepared({ portMappings, annotations: pod.annotations, dns: pod.dns, bandwidth });
      ledger.note({ endpoint: endpointOf(pod), network, result: null });
      const result = await addChain(run, network, endpointOf(pod), signal);
      ledger.note({ endpoint: endpointOf(pod), network, result });
      return attachmentOf(network, result, portMappings);
    },
    detach: async (pod, attachment, signal) => {
      const known = attachment === null ? await ledger.find(pod.id) : fromAttachment(attachment);
      const network = known?.network ?? (await current.prepared(NO_POD).catch(() => null));
      if (network !== null) await delChain(run, network, endpointOf(pod), known?.result ?? null, signal);
      ledger.forget(pod.id);
      attached.delete(pod.id);
    },
    noted: async () => (await ledger.entries()).map(({ endpoint }) => endpoint.id),
    note: (pod, attachment) => ledger.note({ endpoint: endpointOf(pod), ...fromAttachment(attachment) }),
    forget: ledger.forget,
    setPodCidr: current.setPodCidr,
    collect: async (valid) => collect(new Set(valid)),
    close: current.close,
  };
}

function endpointOf({ id, name, namespace, uid, netnsPath }: PodIdentity): Endpoint {
  return { id, name, namespace, uid, netnsPath, ifName: IF_NAME };
}

function attachmentOf(
  network: PreparedNetwork,
  result: Record<string, unknown>,
  portMappings: PortMapping[],
): Attachment {
  return {
    network: network.name,
    ifName: IF_NAME,
    configJson: JSON.stringify(network),
    resultJson: JSON.stringify(result),
    ips: addresses(result),
    portMappings,
  };
}

function fromAttachment(attachment: Attachment): { network: PreparedNetwork; result: Record<string, unknown> } {
  return { network: JSON.parse(attachment.configJson), result: JSON.parse(attachment.resultJson) };
}
