import { RuntimeError } from '../../api/errors.ts';
import type { Index, IndexEntry, Platform } from './manifest.ts';

/** How a platform is written in messages: `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os || 'unknown', architecture || 'unknown', ...(variant === '' ? [] : [variant])].join('/');
}

/** Reads `OS/ARCHITECTURE[/VARIANT]`. */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant = ''] = text.split('/');
  return { os, architecture, variant };
}

/** True unless the image states a platform that does not run where `wanted` does. */
export function suits(stated: Platform, wanted: Platform): boolean {
  return (stated.os === '' && stated.architecture === '') || rankOf(stated, wanted) >= 0;
}

/** The entry of `index` for this machine, the best variant first, then the order of the index. Throws `unsupported`. */
export function choosePlatform(index: Index, wanted: Platform): IndexEntry {
  let best: { entry: IndexEntry; rank: number } | undefined;
  for (const entry of index.entries) {
    const rank = entry.platform === undefined ? Number.MAX_SAFE_INTEGER : rankOf(entry.platform, wanted);
    if (rank >= 0 && (best === undefined || rank < best.rank)) best = { entry, rank };
  }
  if (best !== undefined) return best.entry;
  const offered = index.entries.flatMap((entry) =>
    entry.platform === undefined ? [] : [formatPlatform(entry.platform)],
  );
  throw new RuntimeError(
    'unsupported',
    `no image for ${formatPlatform(wanted)}: it exists for ${[...new Set(offered)].join(', ') || 'no platform at all'}`,
  );
}

/** Refuses an image that states another platform than `wanted`; one that states none is taken. Throws `unsupported`. */
export function requirePlatform(stated: Platform, wanted: Platform): void {
  if (suits(stated, wanted)) return;
  throw new RuntimeError(
    'unsupported',
    `the image is for ${formatPlatform(stated)}, this machine is ${formatPlatform(wanted)}`,
  );
}

/**
 * This machine's platform from Node's `process.arch`, its `arm_version` and the text of /proc/cpuinfo
 * (x86-64 psABI levels).
 */
export function hostPlatform(arch: string, armVersion: string, cpuinfo: string): Platform {
  const architecture = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }[arch] ?? arch;
  const variant =
    architecture === 'amd64' ? amd64Level(cpuinfo) : architecture === 'arm64' ? 'v8' : armVersion && `v${armVersion}`;
  return { os: 'linux', architecture, variant };
}

/** How well an image for `offered` suits: 0 is best, below 0 it does not run. */
function rankOf(offered: Platform, wanted: Platform): number {
  if (offered.os !== wanted.os || aliasOf(offered.architecture) !== wanted.architecture) return -1;
  return accepted(wanted).indexOf(offered.variant || defaultVariant(wanted.architecture));
}

function accepted({ architecture, variant }: Platform): string[] {
  const numbered = /^v([0-9]+)$/.exec(variant);
  const lowest = { amd64: 1, arm64: 8, arm: 5 }[architecture];
  if (numbered === null || lowest === undefined) return [variant || defaultVariant(architecture)];
  const highest = Number(numbered[1]);
  return Array.from({ length: Math.max(0, highest - lowest + 1) }, (_, i) => `v${highest - i}`);
}

/** What an image without a variant is built for. */
function defaultVariant(architecture: string): string {
  return { amd64: 'v1', arm64: 'v8', arm: 'v7' }[architecture] ?? '';
}

function aliasOf(architecture: string): string {
  return { x86_64: 'amd64', aarch64: 'arm64', armhf: 'arm', i386: '386' }[architecture] ?? architecture;
}

function amd64Level(cpuinfo: string): string {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  const levels = [
    ['cx16', 'lahf_lm', 'popcnt', 'sse4_1', 'sse4_2', 'ssse3'],
    ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'],
    ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
  ];
  const missing = levels.findIndex((needed) => !needed.every((flag) => flags.has(flag)));
  return `v${missing === -1 ? 4 : missing + 1}`;
}
