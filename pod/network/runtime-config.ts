import type { PluginConfig } from './config.ts';

/** A port of the host that leads to a port of the pod. `hostIP` is empty for all addresses. */
export type PortMapping = { hostPort: number; containerPort: number; protocol: 'tcp' | 'udp' | 'sctp'; hostIP: string };

/** Rates in bits per second. */
export type Bandwidth = { ingress: number | null; egress: number | null };

/**
 * What a plugin may learn about a pod when it declares the capability (CNI conventions, "Dynamic Plugin specific
 * Fields").
 */
export type PodFacts = {
  portMappings: PortMapping[];
  annotations: Record<string, string>;
  dns: { servers: string[]; searches: string[]; options: string[] } | null;
  bandwidth: Bandwidth | null;
  /** The node's pod ranges as the kubelet told them, empty while unknown. */
  podCidrs: string[];
};

/**
 * The `runtimeConfig` of one plugin: of what is known, the capabilities that it declares. Undefined when there are
 * none.
 */
export function runtimeConfig(plugin: PluginConfig, facts: PodFacts): Record<string, unknown> | undefined {
  const wanted = Object.entries(values(facts)).filter(
    ([capability, value]) => plugin.capabilities?.[capability] === true && value !== null,
  );
  return wanted.length > 0 ? Object.fromEntries(wanted) : undefined;
}

function values(facts: PodFacts): Record<string, unknown> {
  return {
    portMappings: facts.portMappings.length > 0 ? facts.portMappings : null,
    bandwidth: facts.bandwidth === null ? null : shaping(facts.bandwidth),
    dns: facts.dns,
    ipRanges: facts.podCidrs.length > 0 ? facts.podCidrs.map((subnet) => [{ subnet }]) : null,
    'io.kubernetes.cri.pod-annotations': Object.keys(facts.annotations).length > 0 ? facts.annotations : null,
  };
}

/** Burst sizes as large as the plugin takes them: only the rate is limited. */
const BURST_BITS = 2 ** 31 - 1;

function shaping({ ingress, egress }: Bandwidth): Record<string, number> {
  return {
    ...(ingress === null ? {} : { ingressRate: ingress, ingressBurst: BURST_BITS }),
    ...(egress === null ? {} : { egressRate: egress, egressBurst: BURST_BITS }),
  };
}

/**
 * Bandwidth asked for by the pod's annotations `kubernetes.io/ingress-bandwidth` and `…/egress-bandwidth`, Kubernetes
 * quantities such as `10M`; null when there is none. A value that is no quantity above zero counts as absent.
 */
export function bandwidthOf(annotations: Record<string, string>): Bandwidth | null {
  const ingress = bitsPerSecond(annotations['kubernetes.io/ingress-bandwidth']);
  const egress = bitsPerSecond(annotations['kubernetes.io/egress-bandwidth']);
  return ingress === null && egress === null ? null : { ingress, egress };
}

const SCALE: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

function bitsPerSecond(quantity: string | undefined): number | null {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?$/.exec(quantity ?? '') ?? [];
  const rate = digits === undefined ? 0 : Math.round(Number(digits) * (SCALE[unit] ?? 0));
  return rate > 0 && Number.isSafeInteger(rate) ? rate : null;
}
