import type { Image } from './records/record.ts';

/** True for an image that cannot be removed here, and when a pattern is its id or one of its names; `*` in it stands for any text. */
export function isPinned({ id, tags, digests, additionalStore }: Image, patterns: readonly string[]): boolean {
  const names = [id, ...tags, ...digests];
  return additionalStore !== '' || patterns.map(matcher).some((matches) => names.some(matches));
}

/** Tells of a text whether it is as the pattern says; `*` stands for any text. */
export function matcher(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`, 's');
  return (text) => expression.test(text);
}
