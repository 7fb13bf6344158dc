import type { DNSConfig } from '../../api/cri.ts';

/**
 * Text of a pod's /etc/resolv.conf (resolv.conf(5)): what the kubelet asks for, or without any wish the host's own file.
 * An empty DNSConfig is a wish too: it makes an empty file (dnsPolicy None).
 */
export function resolvConf(dns: DNSConfig | null, hostText: string): string {
  if (dns === null) return hostText;
  const lines = [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(' ')}`] : []),
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(dns.options.length > 0 ? [`options ${dns.options.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
