import { dump } from './dump.ts';
import { images } from './images.ts';
import { pull } from './pull.ts';
import type { Verb } from './verb.ts';
import { version } from './version.ts';

/** Every verb by its name, which may be of two words; help lists them in this order. */
export const verbs: Readonly<Record<string, Verb>> = { images, pull, dump, version };
