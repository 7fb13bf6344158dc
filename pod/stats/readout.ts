/** A file that holds one number; what is no number (`max`) and what is absent are 0. */
export function numberIn(text: string): bigint {
  const found = /^\s*(\d+)\s*$/.exec(text)?.[1];
  return found === undefined ? 0n : BigInt(found);
}

/** At or above this, a limit of version 1 is none: it writes the largest page count there is. */
const NO_LIMIT = 1n << 62n;

/** A file that holds a limit; 0 for none. */
export function limitIn(text: string): bigint {
  const limit = numberIn(text);
  return limit < NO_LIMIT ? limit : 0n;
}

/** The value after `key` in a file of `key value` lines; 0 when it is absent. */
export function fieldIn(text: string, key: string): bigint {
  for (const line of text.split('\n')) if (line.startsWith(`${key} `)) return numberIn(line.slice(key.length));
  return 0n;
}

/** Microseconds of a line `some` or `full` of a file of pressure stall information. */
export function stalledUs(text: string, kind: 'some' | 'full'): bigint {
  return BigInt(new RegExp(`^${kind} .*total=(\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

/** One counter of a block device. */
export type DeviceCount = { major: string; minor: string; operation: string; value: bigint };

/** The lines `8:0 Read 4096` of version 1; their sum (`Total`) is left out. */
export function deviceCounts(text: string): DeviceCount[] {
  const lines = text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm);
  return Array.from(lines, ([, major = '', minor = '', operation = '', value = '0']) => ({
    major, minor, operation, value: BigInt(value),
  })).filter(({ operation }) => operation !== 'Total');
}

/** The counters of lines `8:0 rbytes=4096 wbytes=0 …` of version 2, `operations` by key. */
export function keyedDeviceCounts(text: string, operations: Record<string, string>): DeviceCount[] {
  return Array.from(text.matchAll(/^(\d+):(\d+) (.*)$/gm)).flatMap(([, major = '', minor = '', pairs = '']) =>
    pairs.split(' ').flatMap((pair) => {
      const [key = '', value = ''] = pair.split('=');
      const operation = operations[key];
      return operation !== undefined && /^\d+$/.test(value) ? [{ major, minor, operation, value: BigInt(value) }] : [];
    }),
  );
}

/** The soft limit of a line of /proc/PID/limits; undefined when it is unlimited or absent. */
export function softLimit(text: string, name: string): bigint | undefined {
  const found = text.split('\n').find((line) => line.startsWith(`${name} `));
  const soft = /\s{2,}(\S+)/.exec(found ?? '')?.[1] ?? '';
  return /^\d+$/.test(soft) ? BigInt(soft) : undefined;
}
