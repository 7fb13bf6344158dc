import type { Image } from './record.ts';

/** True when a pattern is the image's id or one of its names; `*` in it stands for any text. */
export function isPinned({ id, tags, digests }: Image, patterns: readonly string[]): boolean {
  const names = [id, ...tags, ...digests];
  return patterns.map(expression).some((pattern) => names.some((name) => pattern.test(name)));
}

function expression(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
