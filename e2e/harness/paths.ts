import { homedir } from 'node:os';
import { join } from 'node:path';

/** The top of the source tree. */
export const repository = join(import.meta.dirname, '../..');

/** Where built tools and images are kept between runs. */
export const cache = process.env['BERTH_CACHE'] ?? join(homedir(), '.cache/berth');

/** Directory of the test images when another machine has made them and the tools; nothing is built then. */
export const prebuilt = process.env['BERTH_PREBUILT'];
