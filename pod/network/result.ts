import { isIP } from 'node:net';

/**
 * The pod's addresses in a CNI result, in the plugin's order and without prefix length. Addresses on interfaces of the
 * host (those without `sandbox`) are left out; results of versions 0.1 and 0.2 are understood too.
 */
export function addresses(result: Record<string, unknown>): string[] {
  const interfaces = listOf(result['interfaces']);
  const inPod = listOf(result['ips']).filter((entry) => {
    const on = typeof entry['interface'] === 'number' ? interfaces[entry['interface']] : undefined;
    return on === undefined || (typeof on['sandbox'] === 'string' && on['sandbox'] !== '');
  });
  const old = [result['ip4'], result['ip6']].filter(isObject).map((entry) => entry['ip']);
  return [...inPod.map((entry) => entry['address']), ...old]
    .filter((address) => typeof address === 'string')
    .map((address) => address.split('/')[0] ?? '')
    .filter((address) => isIP(address) !== 0);
}

const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isObject) : []);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
