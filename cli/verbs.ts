import { check } from './check.ts';
import { dump } from './dump.ts';
import { imagesHistory } from './images-history.ts';
import { imagesPrune } from './images-prune.ts';
import { images } from './images.ts';
import { load } from './load.ts';
import { pull } from './pull.ts';
import { rmi } from './rmi.ts';
import { save } from './save.ts';
import type { Verb } from './verb.ts';
import { version } from './version.ts';

/** Every verb by its name, which may be of two words; help lists them in this order. */
export const verbs: Readonly<Record<string, Verb>> = {
  images,
  'images history': imagesHistory,
  'images prune': imagesPrune,
  pull,
  rmi,
  load,
  save,
  check,
  dump,
  version,
};
