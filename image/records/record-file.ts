import { RuntimeError } from '../../api/errors.ts';
import { migrated, type Step } from '../../host/schema-version.ts';
import type { Name } from './catalog.ts';
import { parseConfig } from '../manifest/config.ts';
import type { LayerUsage } from '../layers/layers.ts';
import type { Image } from './record.ts';
import { type Json, listIn, objectIn, textIn, textMapIn } from '../manifest/shape.ts';

/** What the file of one image holds; the image's tags and digests are in `names`. */
export type Stored = {
  image: Image;
  names: readonly Name[];
  /** What each of its layers takes, by diffID. */
  usages: ReadonlyMap<string, LayerUsage>;
  /** Grows with every file written: of two files with the same name, the one with the larger number has it. */
  sequence: number;
};

/** Steps of the format: the first version is the only one so far. */
const migrations: readonly Step<Json>[] = [];

/** The version that this release writes. */
export const fileVersion = migrations.length + 1;

/** The version a file states; 0 when it states none. */
export function versionOf({ version }: Json): number {
  return typeof version === 'number' ? version : 0;
}

/** Name of the file of an image. */
export function fileNameOf(imageId: string): string {
  return `${imageId.slice(imageId.indexOf(':') + 1)}.json`;
}

/** The file's text; integers that may need 64 bits are decimal strings. */
export function writeStored({ image, names, usages, sequence }: Stored): string {
  const layers = [...usages].map(([diffId, { usedBytes, inodes }]) => [
    diffId,
    { usedBytes: `${usedBytes}`, inodes: `${inodes}` },
  ]);
  const file = {
    version: fileVersion,
    sequence,
    id: image.id,
    names,
    sizeBytes: `${image.sizeBytes}`,
    pulledAtNs: `${image.pulledAtNs}`,
    layers: Object.fromEntries(layers) as object,
    annotations: image.annotations,
    ...(image.artifactType !== '' && { artifactType: image.artifactType }),
    config: image.rawConfig,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Reads a file of this version or an older one. Throws `corrupt` and what else is wrong with its configuration. */
export function readStored(json: Json): Stored {
  const version = versionOf(json);
  if (!Number.isInteger(version) || version < 1) throw new RuntimeError('corrupt', 'it states no version');
  const file = migrated(json, version, migrations);
  const rawConfig = textIn(file['config'], 'config');
  const { config, diffIds } = parseConfig(rawConfig);
  const image = {
    id: textIn(file['id'], 'id'),
    tags: [],
    digests: [],
    sizeBytes: integerIn(file['sizeBytes'], 'sizeBytes'),
    layers: diffIds,
    config,
    rawConfig,
    annotations: textMapIn(file['annotations'], 'annotations'),
    artifactType: textIn(file['artifactType'], 'artifactType'),
    pulledAtNs: integerIn(file['pulledAtNs'], 'pulledAtNs'),
    additionalStore: '',
  };
  const names = listIn(file['names'], 'names').map((item) => readName(objectIn(item, 'names[]')));
  return { image, names, usages: readUsages(file['layers']), sequence: Number(file['sequence']) };
}

function readName({ name, listed }: Json): Name {
  return { name: textIn(name, 'names[].name'), listed: listed === true };
}

function readUsages(value: unknown): Map<string, LayerUsage> {
  const entries = Object.entries(objectIn(value, 'layers')).map(([diffId, item]) => {
    const { usedBytes, inodes } = objectIn(item, 'layers[]');
    return [diffId, { usedBytes: integerIn(usedBytes, 'usedBytes'), inodes: integerIn(inodes, 'inodes') }] as const;
  });
  return new Map(entries);
}

function integerIn(value: unknown, what: string): bigint {
  const text = textIn(value, what);
  if (!/^[0-9]+$/.test(text)) throw new RuntimeError('corrupt', `${what} is no decimal number`);
  return BigInt(text);
}
