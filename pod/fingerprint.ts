import { createHash } from 'node:crypto';

/**
 * Tells whether two requests ask for the same: equal for equal messages, in whatever order their maps come. Clients
 * marshal maps in a random order, so the bytes of a retry differ from those of the first try.
 */
export function fingerprint(...messages: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(messages.map(inOrder))).digest('base64');
}

/** The value with the keys of every object sorted; the order of lists means something and stays. */
function inOrder(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, inOrder(inner)]));
}
