import { randomInt } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

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

/** Writes a bridge + host-local + portmap list with an unused name and a random /24 below `directory`. */
export function makeNetwork(directory: string): Network {
  const id = randomInt(0x1000000).toString(16).padStart(6, '0');
  const name = `berth-e2e-${id}`;
  const bridge = `be2e${id}`;
  const subnet = `10.${randomInt(100, 200)}.${randomInt(1, 255)}`;
  const configDirectory = join(directory, 'cni');
  mkdirSync(configDirectory, { recursive: true });
  const plugins = [
    {
      type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: `${subnet}.0/24` }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
  ];
  writeFileSync(join(configDirectory, '10-e2e.conflist'), JSON.stringify({ cniVersion: '1.0.0', name, plugins }, null, 1));
  return { name, bridge, gateway: `${subnet}.1`, configDirectory, addressDirectory: join('/var/lib/cni/networks', name) };
}

/** Removes what the standard plugins keep of a network when its last pod is gone: bridge and address directory. */
export function removeNetwork(network: Network): void {
  spawnSync('ip', ['link', 'delete', network.bridge], { stdio: 'ignore' });
  rmSync(network.addressDirectory, { recursive: true, force: true });
}
