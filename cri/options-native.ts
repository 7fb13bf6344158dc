import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Path of the program berth-native when none is configured: $BERTH_NATIVE, else the build that set-up noted in
 * `dist/libexec/current`, else where cargo leaves it.
 */
export function nativeProgram(): string {
  const named = process.env['BERTH_NATIVE'];
  if (named !== undefined && named !== '') return named;
  const top = fileURLToPath(new URL('../', import.meta.url));
  try {
    return top + readFileSync(`${top}dist/libexec/current`, 'utf8').trim();
  } catch {
    const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    return `${top}runtime-native/target/${machine}-unknown-linux-gnu/release/berth-native`;
  }
}
