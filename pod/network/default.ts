import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { Plugins } from './plugins.ts';

/** File in the CNI configuration directory that holds the default network; its name sorts after any real one's. */
export const DEFAULT_FILE = '99-berth.conflist';

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
  const usable = hostHasIPv6(networkInterfaces()) ? ranges : ranges.filter((range) => !isIPv6(range.split('/')[0] ?? ''));
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
        bridge: 'berth0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          ranges: ranges.map((subnet) => [{ subnet }]),
          routes: ranges.map((range) => ({ dst: isIPv6(range.split('/')[0] ?? '') ? '::/0' : '0.0.0.0/0' })),
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

/** The newest version of the specification that all plugins answered and this runtime speaks. */
export function commonVersion(answers: string[][]): string {
  const found = ['1.1.0', '1.0.0', '0.4.0', '0.3.1'].find((version) => answers.every((known) => known.includes(version)));
  if (found !== undefined) return found;
  throw new RuntimeError('unsupported', 'the CNI plugins bridge, host-local and portmap share no version of the specification: install one release of them');
}

/** True when an interface has an IPv6 address beyond its own link: only then is an IPv6 range worth its cost per pod. */
export function hostHasIPv6(interfaces: ReturnType<typeof networkInterfaces>): boolean {
  const all = Object.values(interfaces).flatMap((entries) => entries ?? []);
  return all.some(({ address, family, internal }) => family === 'IPv6' && !internal && !address.startsWith('fe80:'));
}
