import { RuntimeError } from '../api/errors.ts';

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time such as `90s`, `10m`, `4h` or `7d` in milliseconds. Throws `invalid`. */
export function durationMs(text: string, option: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count === '') throw new RuntimeError('invalid', `${option} ${JSON.stringify(text)} must be a time such as 90s, 10m, 4h or 7d`);
  return Number(count) * (units[unit] ?? 0);
}
