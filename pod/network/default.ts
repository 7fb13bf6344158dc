import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { BlockList, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { NetworkConfig } from './config.ts';
import { isIPv6Range } from './masquerade-rules.ts';
import type { Plugins } from './plugins.ts';

/** File in the CNI configuration directory that holds the default network; its name sorts after any real one's. */
export const DEFAULT_FILE = '99-berth.conflist';

const BRIDGE = 'berth0';

/** Pod ranges of the default network, CIDR; the second is used where the host has IPv6. */
export const DEFAULT_RANGES = ['10.86.0.0/16', 'fd62:6572:7468::/64'];

/**
 * Writes the default network into an empty configuration directory, where the operator sees and may change it: it is
 * never overwritten, and any other network there comes before it. Called once at start; a directory emptied later
 * stays empty, so that pods never land on it while an agent exchanges its configuration.
 * Throws `unavailable` when a plugin that it needs is missing.
 */
export async function writeDefault(dir: string, plugins: Plugins, ranges: string[]): Promise<void> {
  const answers = await Promise.all(['bridge', 'host-local', 'portmap'].map(async (type) => plugins.versions(type)));
  const usable = hostHasIPv6(networkInterfaces()) ? ranges : ranges.filter((range) => !isIPv6Range(range));
  const text = `${JSON.stringify(defaultNetwork(commonVersion(answers), usable), null, 2)}\n`;
  await mkdir(dir, { recursive: true });
  const draft = join(dir, `.${DEFAULT_FILE}.${process.pid}`);
  try {
    await writeFile(draft, text, { mode: 0o644 });
    await link(draft, join(dir, DEFAULT_FILE)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
}

/** The default network: a bridge with masquerading, addresses from host-local, host ports by portmap. */
export function defaultNetwork(cniVersion: string, ranges: string[]): Record<string, unknown> {
  return {
    cniVersion,
    name: 'berth',
    plugins: [
      {
        type: 'bridge',
        bridge: BRIDGE,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          ranges: ranges.map((subnet) => [{ subnet }]),
          routes: ranges.map((range) => ({ dst: isIPv6Range(range) ? '::/0' : '0.0.0.0/0' })),
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

/** The newest version of the specification that all plugins answered and this runtime speaks. */
export function commonVersion(answers: string[][]): string {
  const found = ['1.1.0', '1.0.0', '0.4.0', '0.3.1'].find((version) =>
    answers.every((known) => known.includes(version)),
  );
  if (found !== undefined) return found;
  throw new RuntimeError(
    'unsupported',
    'the CNI plugins bridge, host-local and portmap share no version of the specification: install one release of them',
  );
}

/**
 * True when an interface has a global IPv6 address (2000::/3). Only then is an IPv6 range worth its price: the bridge
 * plugin waits for duplicate address detection, which takes 50 ms for every pod.
 */
export function hostHasIPv6(interfaces: ReturnType<typeof networkInterfaces>): boolean {
  const all = Object.values(interfaces).flatMap((entries) => entries ?? []);
  return all.some(
    ({ address, family, internal }) => family === 'IPv6' && !internal && /^[23][0-9a-f]{3}:/i.test(address),
  );
}

/**
 * The default network with the node's own pod ranges in place of the built-in ones of the same family, as the kubelet
 * pushed them; other networks are returned as they are. A bridge that serves pods from another range keeps it: the
 * bridge plugin would refuse to give it a second address.
 */
export function inPodCidrs(
  config: NetworkConfig,
  podCidrs: string[],
  interfaces: ReturnType<typeof networkInterfaces>,
): NetworkConfig {
  const [bridge, ...rest] = config.plugins;
  const ipam = bridge['ipam'];
  if (config.file !== DEFAULT_FILE || podCidrs.length === 0 || typeof ipam !== 'object' || ipam === null) return config;
  const inUse = (interfaces[BRIDGE] ?? [])
    .filter(({ address }) => !address.startsWith('fe80:'))
    .map(({ address }) => address);
  if (!inUse.every((address) => podCidrs.some((range) => holds(range, address)))) return config;
  const own =
    'ranges' in ipam && Array.isArray(ipam.ranges)
      ? ipam.ranges.flat().map((range: { subnet: string }) => range.subnet)
      : [];
  const families = new Set(podCidrs.map(isIPv6Range));
  const ranges = [...podCidrs, ...own.filter((range) => !families.has(isIPv6Range(range)))];
  return {
    ...config,
    plugins: [{ ...bridge, ipam: { ...ipam, ranges: ranges.map((subnet) => [{ subnet }]) } }, ...rest],
  };
}

function holds(range: string, address: string): boolean {
  const [network = '', prefix = ''] = range.split('/');
  if (isIPv6(network) !== isIPv6(address)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4');
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
