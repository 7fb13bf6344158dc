import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { NetworkConfig, PluginConfig } from './config.ts';

/** The ranges that a plugin would masquerade pod by pod and that are the same for all pods, CIDR; else none. */
export function masqueradedRanges(plugin: PluginConfig): string[] {
  const ipam = plugin['ipam'];
  const byIptables = plugin['ipMasq'] === true && (plugin['ipMasqBackend'] ?? 'iptables') === 'iptables';
  if (plugin.type !== 'bridge' || !byIptables || plugin.capabilities?.['ipRanges'] === true) return [];
  if (!isObject(ipam) || ipam['type'] !== 'host-local') return [];
  const sets: unknown[] = Array.isArray(ipam['ranges']) ? ipam['ranges'].flat() : [];
  const subnets = [ipam['subnet'], ...sets.map((range) => (isObject(range) ? range['subnet'] : undefined))];
  return subnets.filter((subnet) => typeof subnet === 'string').filter((subnet) => /^[\da-f.:]+\/\d+$/i.test(subnet));
}

/** The same network with `ipMasq` off on the bridges that have fixed ranges. */
export function withoutMasquerade(config: NetworkConfig): NetworkConfig {
  const relieved = (plugin: PluginConfig): PluginConfig =>
    masqueradedRanges(plugin).length > 0 ? { ...plugin, ipMasq: false } : plugin;
  const [first, ...rest] = config.plugins;
  return { ...config, plugins: [relieved(first), ...rest.map(relieved)] };
}

/** Name of a range's chain in the nat table; iptables takes at most 28 characters. */
export function chainName(network: string, range: string): string {
  return `BERTH-${createHash('sha256').update(`${network} ${range}`).digest('hex').slice(0, 16)}`;
}

/** The rule by which the range's traffic enters its chain, as arguments of iptables after -A, -C or -D. */
export function jump(network: string, range: string): string[] {
  return ['POSTROUTING', '-s', range, '-m', 'comment', '--comment', commentOf(network), '-j', chainName(network, range)];
}

function commentOf(network: string): string {
  return `pods-of-network-${network}`;
}

/** Input of iptables-restore --noflush: what leaves the range, except for multicast, bears the host's address. */
export function addition(network: string, range: string): string {
  const chain = chainName(network, range);
  const multicast = isIPv6Range(range) ? 'ff00::/8' : '224.0.0.0/4';
  return table([
    `:${chain} - [0:0]`,
    `-A ${chain} -d ${range} -j RETURN`,
    `-A ${chain} ! -d ${multicast} -j MASQUERADE`,
    `-A ${jump(network, range).join(' ')}`,
  ]);
}

/** A rule by which traffic enters a chain of ours, as iptables lists it, without its `-A`. */
export type ListedRule = { text: string; chain: string };

/** The rules that `jump` made for that network, whatever its ranges, out of what `iptables -S POSTROUTING` lists. */
export function rulesOf(network: string, listing: string): ListedRule[] {
  return listing.split('\n').flatMap((line) => {
    const [, text = '', comment, chain = ''] = /^-A (.* --comment "?([^ "]+)"? -j (BERTH-[0-9a-f]{16}))$/.exec(line) ?? [];
    return comment === commentOf(network) ? [{ text, chain }] : [];
  });
}

/** Input of iptables-restore --noflush that takes a rule and its chain away again. */
export function removal({ text, chain }: ListedRule): string {
  return table([`-D ${text}`, `-F ${chain}`, `-X ${chain}`]);
}

/** True for an IPv6 range. */
export function isIPv6Range(range: string): boolean {
  return isIPv6(range.split('/')[0] ?? '');
}

const table = (lines: string[]): string => ['*nat', ...lines, 'COMMIT', ''].join('\n');

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
