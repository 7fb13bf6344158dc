import { BlockList, isIP } from 'node:net';
import { isLoopback } from './endpoint.ts';

/** Variables of the environment that name proxies, in either case. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for `url`, empty for none: `HTTPS_PROXY` or `HTTP_PROXY` by its scheme, unless `NO_PROXY` names the host.
 * Entries of that, as Go's programs read them: a host (its subdomains too), `.suffix`, `*.suffix`, an address, a CIDR
 * block, each with or without port, or `*`. The loopback interface is never asked by way of a proxy.
 */
export function proxyFor(url: string, environment: ProxyEnvironment): string {
  const { protocol, host: authority, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const named = (name: string): string => environment[name] || environment[name.toLowerCase()] || '';
  const proxy = named(protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (proxy === '' || isLoopback(authority)) return '';
  const target = { host, port: port || (protocol === 'https:' ? '443' : '80') };
  const excluded = named('NO_PROXY').split(/[\s,]+/).some((entry) => entry !== '' && excludes(entry.toLowerCase(), target));
  if (excluded) return '';
  return /^[a-z0-9]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function excludes(entry: string, target: { host: string; port: string }): boolean {
  if (entry === '*') return true;
  const [, address = '', prefix = ''] = /^([0-9a-f.:]+)\/(\d+)$/.exec(entry) ?? [];
  if (address !== '') return inBlock(target.host, address, Number(prefix));
  const [, bracketed, bare = '', port = target.port] = /^(?:\[([0-9a-f:]+)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [undefined, entry];
  const name = (bracketed ?? bare).replace(/^\*\./, '.');
  if (port !== target.port || name === '') return false;
  return target.host === name || target.host.endsWith(name.startsWith('.') ? name : `.${name}`);
}

function inBlock(host: string, address: string, prefix: number): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(host) !== isIP(address) || prefix > (family === 'ipv6' ? 128 : 32)) return false;
  const block = new BlockList();
  block.addSubnet(address, prefix, family);
  return block.check(host, family);
}
