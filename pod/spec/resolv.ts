import type { DNSConfig } from '../../api/cri.ts';

/**
 * Text of a pod's /etc/resolv.conf (resolv.conf(5)): what the kubelet asks for, or the host's own file when it asks for
 * nothing, as both peers do.
 */
export function resolvConf(dns: DNSConfig | null, hostText: string): string {
  const lines = [
    ...(dns?.searches.length ? [`search ${dns.searches.join(' ')}`] : []),
    ...(dns?.servers ?? []).map((server) => `nameserver ${server}`),
    ...(dns?.options.length ? [`options ${dns.options.join(' ')}`] : []),
  ];
  return lines.length > 0 ? lines.map((line) => `${line}\n`).join('') : hostText;
}
