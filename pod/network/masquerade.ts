import { createHash } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';
import type { NetworkConfig, PluginConfig } from './config.ts';

/**
 * Masquerading once per network instead of once per pod. The bridge plugin's `ipMasq` makes a chain for every pod, in
 * nine runs of iptables at ADD and as many at DEL, the larger part of both. For a bridge whose addresses come from
 * fixed ranges one rule per range does the same, so the rule is kept here and the plugin is told `ipMasq: false`.
 */
export type Masquerade = {
  /** The network as the plugins are to see it; without `ipMasq` once the rules are known to be there. */
  relieve(config: NetworkConfig): Promise<NetworkConfig>;
};

/** How long rules count as being there, in milliseconds; a firewall's reload may have taken them. */
const FRESH_MS = 60_000;

/** Keeps the rules of networks. Where they cannot be made the network is left as it is, and the log says so. */
export function masquerade(engine: Engine, log: Log): Masquerade {
  const looks = new Map<string, { atMs: number; there: Promise<boolean> }>();

  const areThere = async (config: NetworkConfig, ranges: string[]): Promise<boolean> => {
    const key = JSON.stringify([config.name, ranges]);
    const last = looks.get(key);
    if (last !== undefined && performance.now() - last.atMs < FRESH_MS) return last.there;
    const there = Promise.all(ranges.map(async (range) => ensureRule(engine, config.name, range))).then(
      () => true,
      (error: unknown) => {
        log.warn('pods are masqueraded one by one', { network: config.name, error: String(error) });
        return false;
      },
    );
    looks.set(key, { atMs: performance.now(), there });
    return there;
  };
  return {
    relieve: async (config) => {
      const ranges = config.plugins.flatMap(masqueradedRanges);
      return ranges.length > 0 && (await areThere(config, ranges)) ? withoutMasquerade(config) : config;
    },
  };
}

/** The ranges that a plugin would masquerade pod by pod and that are the same for all pods, CIDR; else none. */
export function masqueradedRanges(plugin: PluginConfig): string[] {
  const ipam = plugin['ipam'];
  if (plugin.type !== 'bridge' || plugin['ipMasq'] !== true || (plugin['ipMasqBackend'] ?? 'iptables') !== 'iptables')
    return [];
  if (!isObject(ipam) || ipam['type'] !== 'host-local' || plugin.capabilities?.['ipRanges'] === true) return [];
  const sets: unknown[] = Array.isArray(ipam['ranges']) ? ipam['ranges'].flat() : [];
  const subnets = [ipam['subnet'], ...sets.map((range) => (isObject(range) ? range['subnet'] : undefined))];
  return subnets.filter(
    (subnet): subnet is string => typeof subnet === 'string' && /^[0-9a-fA-F.:]+\/\d{1,3}$/.test(subnet),
  );
}

/** The same network with `ipMasq` off on the bridges that have fixed ranges. */
export function withoutMasquerade(config: NetworkConfig): NetworkConfig {
  const [first, ...rest] = config.plugins.map((plugin) =>
    masqueradedRanges(plugin).length > 0 ? { ...plugin, ipMasq: false } : plugin,
  );
  return first === undefined ? config : { ...config, plugins: [first, ...rest] };
}

/** Name of the range's chain in the nat table, at most 28 characters as iptables wants it. */
export function chainName(network: string, range: string): string {
  return `BERTH-${createHash('sha256').update(`${network} ${range}`).digest('hex').slice(0, 16)}`;
}

/** Lines for iptables-restore --noflush: what leaves the range, except for multicast, bears the host's address. */
export function rules(network: string, range: string): string {
  const chain = chainName(network, range);
  return [
    '*nat',
    `:${chain} - [0:0]`,
    `-A ${chain} -d ${range} -j RETURN`,
    `-A ${chain} ! -d ${isIPv6Range(range) ? 'ff00::/8' : '224.0.0.0/4'} -j MASQUERADE`,
    `-A POSTROUTING -s ${range} -m comment --comment "pods of network ${network}" -j ${chain}`,
    'COMMIT',
    '',
  ].join('\n');
}

async function ensureRule(engine: Engine, network: string, range: string): Promise<void> {
  const iptables = isIPv6Range(range) ? 'ip6tables' : 'iptables';
  const check = [
    '-w',
    '5',
    '-t',
    'nat',
    '-C',
    'POSTROUTING',
    '-s',
    range,
    '-m',
    'comment',
    '--comment',
    `pods of network ${network}`,
    '-j',
    chainName(network, range),
  ];
  if ((await run(engine, iptables, check, '')).exitCode === 0) return;
  const { exitCode, stderr } = await run(
    engine,
    `${iptables}-restore`,
    ['-w', '5', '--noflush'],
    rules(network, range),
  );
  if (exitCode !== 0)
    throw new RuntimeError('unavailable', `${iptables}-restore ended with ${exitCode}: ${stderr.trim()}`);
}

async function run(
  engine: Engine,
  program: string,
  args: string[],
  stdin: string,
): Promise<{ exitCode: number; stderr: string }> {
  const path = await inPath(program);
  return engine.call('run', { lane: 'cni-add', path, args, env: {}, stdin, timeoutMs: 10_000 });
}

async function inPath(program: string): Promise<string> {
  for (const dir of ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin']) {
    if (
      await access(join(dir, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return join(dir, program);
  }
  throw new RuntimeError('unavailable', `${program} is not installed`);
}

const isIPv6Range = (range: string): boolean => isIPv6(range.split('/')[0] ?? '');

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
