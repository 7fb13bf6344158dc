import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repository } from './paths.ts';

/** A CNI network of one daemon's own, so that daemons side by side do not meet. */
export type Network = {
  readonly name: string;
  readonly bridge: string;
  /** The host's address on the bridge. */
  readonly gateway: string;
  readonly configDirectory: string;
  /** Where host-local notes the addresses it gave out. */
  readonly addressDirectory: string;
};

type Conflist = { readonly plugins: readonly [{ readonly ipam: object }, ...object[]]; readonly [key: string]: unknown };

/**
 * Writes the shipped list (bridge, host-local, portmap) with an unused name and a random /24 below `directory`; with
 * `dualStack` a random IPv6 range too.
 */
export function makeNetwork(directory: string, { dualStack = false } = {}): Network {
  const id = randomInt(0x1000000).toString(16).padStart(6, '0');
  const name = `berth-e2e-${id}`;
  const bridge = `be2e${id}`;
  const subnet = unusedSubnet();
  const configDirectory = join(directory, 'cni');
  mkdirSync(configDirectory, { recursive: true });
  const shipped = JSON.parse(readFileSync(join(repository, 'manifests/10-bridge.conflist'), 'utf8')) as Conflist;
  const [first, ...others] = shipped.plugins;
  const ipam = { ...first.ipam, ranges: [[{ subnet: `${subnet}.0/24` }], ...(dualStack ? [[{ subnet: `fdbe:${id.slice(0, 4)}:${id.slice(4)}::/64` }]] : [])] };
  const list = { ...shipped, name, plugins: [{ ...first, bridge, ipam }, ...others] };
  writeFileSync(join(configDirectory, '10-e2e.conflist'), JSON.stringify(list, null, 1));
  return {
    name,
    bridge,
    gateway: `${subnet}.1`,
    configDirectory,
    addressDirectory: join('/var/lib/cni/networks', name),
  };
}

/** The first three numbers of a /24 that no route of this machine leads to. */
function unusedSubnet(): string {
  const routes = readFileSync('/proc/net/route', 'utf8');
  for (;;) {
    const [second, third] = [randomInt(100, 200), randomInt(1, 255)];
    // The file has addresses as the processor keeps them: the last number first.
    const destination = [0, third, second, 10].map((number) => number.toString(16).padStart(2, '0')).join('').toUpperCase();
    if (!routes.includes(`\t${destination}\t`)) return `10.${second}.${third}`;
  }
}

/** Removes what is kept of a network when its last pod is gone: bridge, address directory and rules that name it. */
export function removeNetwork(network: Network): void {
  spawnSync('ip', ['link', 'delete', network.bridge], { stdio: 'ignore' });
  rmSync(network.addressDirectory, { recursive: true, force: true });
  for (const command of ['iptables', 'ip6tables']) {
    const rules = natRules(command, network);
    for (const rule of rules)
      spawnSync('sh', ['-c', `${command} -w -t nat ${rule.replace(/^-A/, '-D')}`], { stdio: 'ignore' });
    for (const rule of rules) {
      const chain = / -j ((?:CNI|BERTH)-[0-9a-zA-Z]+)$/.exec(rule)?.[1];
      if (chain !== undefined)
        spawnSync('sh', ['-c', `${command} -w -t nat -F ${chain}; ${command} -w -t nat -X ${chain}`], {
          stdio: 'ignore',
        });
    }
  }
}

/** The NAT rules that name a network, as `iptables-save` writes them. */
export function natRules(command: string, network: Network): string[] {
  const rules = spawnSync(`${command}-save`, ['-t', 'nat'], { encoding: 'utf8' }).stdout ?? '';
  return rules.split('\n').filter((rule) => rule.startsWith('-A') && rule.includes(network.name));
}
