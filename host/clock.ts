/**
 * Wall clock, milliseconds since 1970. It may be stepped either way: for stamps alone. What is measured or waited for goes
 * by performance.now().
 */
export function wallClockMs(): number {
  return Date.now();
}

/** The same in nanoseconds (millisecond resolution). */
export function wallClockNs(): bigint {
  return BigInt(wallClockMs()) * 1_000_000n;
}
