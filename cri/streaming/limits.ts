/** What the streaming server takes; whoever is refused is told the name of the limit. Times in milliseconds. */
export type StreamingLimits = {
  /** How long a URL works. */
  tokenLifeMs: number;
  /** URLs that wait for their client. */
  maxTokens: number;
  /** Clients at work. */
  maxSessions: number;
  /** Connections whose request is not complete; one more costs the oldest of them its place. */
  maxRequests: number;
  /** How long a request may take, the TLS handshake apart. */
  requestMs: number;
  maxHeaderBytes: number;
  maxHeaders: number;
  /** Longest time of a session without a byte; 0 for any. */
  idleMs: number;
  /** Longest time of a session. */
  totalMs: number;
  /** Time between two looks at a session: at the times above, and whether its client is there. */
  beatMs: number;
};

const HOUR_MS = 3_600_000;

/** Idle time as the kubelet's own (streamingConnectionIdleTimeout). */
export const defaultLimits: StreamingLimits = {
  tokenLifeMs: 60_000,
  maxTokens: 1000,
  maxSessions: 1024,
  maxRequests: 256,
  requestMs: 10_000,
  maxHeaderBytes: 16_384,
  maxHeaders: 100,
  idleMs: 4 * HOUR_MS,
  totalMs: 7 * 24 * HOUR_MS,
  beatMs: 30_000,
};

/** Ends a message that refuses: which limit it is, and its value. */
export function byLimit(limits: StreamingLimits, name: keyof StreamingLimits): string {
  return `(limit ${name}, ${limits[name]})`;
}
