import { RuntimeError } from '../api/errors.ts';
import { matcher } from './pinned.ts';
import type { Image } from './records/record.ts';

/** The keys of filters, with what their values are. */
export const filterKeys: Readonly<Record<string, string>> = {
  dangling: 'true or false: without, or with, a tag',
  before: 'IMAGE: built before that one',
  since: 'IMAGE: built after that one',
  label: 'KEY or KEY=VALUE',
  reference: 'PATTERN of a name; * stands for any text',
};

type Test = (image: Image) => boolean;

/**
 * The images that pass all of `filters` (`KEY=VALUE`); of several references one is enough. Throws `invalid` for a
 * filter that is none, `not-found` for an image that `before` or `since` names and `find` does not know.
 */
export function imageFilter(filters: readonly string[], find: (reference: string) => Image | undefined): Test {
  const parsed = filters.map(parse);
  const references = parsed.filter(({ key }) => key === 'reference').map(({ value }) => named(value));
  const others = parsed.filter(({ key }) => key !== 'reference').map(({ key, value }) => testOf(key, value, find));
  return (image) => others.every((test) => test(image)) && (references.length === 0 || references.some((test) => test(image)));
}

function parse(filter: string): { key: string; value: string } {
  const [, key = '', value = ''] = /^([^=]+)=(.+)$/s.exec(filter) ?? [];
  if (Object.hasOwn(filterKeys, key)) return { key, value };
  const known = Object.keys(filterKeys).map((each) => `${each}=…`);
  throw new RuntimeError('invalid', `${JSON.stringify(filter)} is no filter of images; there are ${known.join(', ')}`);
}

function testOf(key: string, value: string, find: (reference: string) => Image | undefined): Test {
  if (key === 'label') return labelled(value);
  if (key === 'dangling') {
    if (value !== 'true' && value !== 'false') throw new RuntimeError('invalid', `the filter dangling=${value} must be true or false`);
    return ({ tags }) => (tags.length === 0) === (value === 'true');
  }
  const other = find(value);
  if (other === undefined) throw new RuntimeError('not-found', `the filter ${key}=${value} names an image that is not here`);
  const at = builtAt(other);
  return key === 'before' ? (image) => builtAt(image) < at : (image) => builtAt(image) > at;
}

function labelled(value: string): Test {
  const equals = value.indexOf('=');
  if (equals === -1) return ({ config }) => Object.hasOwn(config.labels, value);
  const [key, text] = [value.slice(0, equals), value.slice(equals + 1)];
  return ({ config }) => Object.hasOwn(config.labels, key) && config.labels[key] === text;
}

/** By whole name, or as people say it: without registry and tag. */
function named(pattern: string): Test {
  const matches = matcher(pattern);
  return ({ tags, digests }) => [...tags, ...digests].flatMap(spellings).some(matches);
}

function spellings(name: string): string[] {
  const short = name.replace(/^docker\.io\/(?:library\/)?/, '');
  return [name, short].flatMap((each) => [each, each.replace(/(?:@sha256:[0-9a-f]+|:[^:/]+)$/, '')]);
}

/** Milliseconds since 1970; an image that does not say counts as the oldest. */
function builtAt({ config }: Image): number {
  return Date.parse(config.created) || 0;
}
