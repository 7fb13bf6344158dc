/**
 * When something is created: now, but after all that it follows, however the clock was set. The kubelet takes the latest
 * of a pod's sandboxes, and of its containers of a name, for the one that counts. Nanoseconds since 1970, decimal.
 */
export function createdAt(nowNs: bigint, earlier: Iterable<{ createdAtNs: string }>): string {
  let atNs = nowNs;
  for (const { createdAtNs } of earlier) if (BigInt(createdAtNs) >= atNs) atNs = BigInt(createdAtNs) + 1n;
  return `${atNs}`;
}
