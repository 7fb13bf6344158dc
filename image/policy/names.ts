import type { Image } from '../records/record.ts';
import { nameOf, parseReference, type Reference } from '../manifest/reference.ts';
import type { RegistriesConf } from '../registry/conf.ts';
import { meanings } from '../registry/endpoint.ts';

/**
 * The references that an image is used under: those that the name may mean and that the image has, the first meaning
 * where it has none of them; all that it has for an id.
 */
export function usedAs({ tags, digests }: Pick<Image, 'tags' | 'digests'>, name: string, conf: RegistriesConf): Reference[] {
  const isId = name === '' || /^(sha256:)?[0-9a-f]{12,64}$/.test(name);
  if (isId) return [...tags, ...digests].map(parseReference);
  const meant = meanings(name, conf);
  const own = meant.filter((each) => [...tags, ...digests].includes(nameOf(each)));
  return own.length > 0 ? own : meant.slice(0, 1);
}
