import { openDatabase } from '../host/database.ts';
import { createCatalog, type Catalog, type Name } from './catalog.ts';
import { parseConfig } from './config.ts';
import { createWriter, type Statement } from './database.ts';
import type { Image } from './record.ts';
import { migrations } from './schema.ts';

/** What a layer takes on the disk. */
export type LayerUsage = { usedBytes: bigint; inodes: bigint };

/** The records of images and layers: read from memory, written durably first. */
export type Records = {
  catalog: Pick<Catalog, 'list' | 'byId' | 'byName' | 'byPrefix'>;
  /** What was known of layers when the records was opened. */
  layers: ReadonlyMap<string, LayerUsage>;
  /** Says that a write will come soon. */
  prepare(): void;
  /** Adds the image, or names to it, with the layers new to the disk; returns the record as it is now. */
  save(image: Image, names: readonly Name[], layers: ReadonlyMap<string, LayerUsage>): Promise<Image>;
  /** Forgets the image and its names; an unknown one is fine. */
  remove(id: string): Promise<void>;
  forgetLayers(diffIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
};

/** Opens images.db at `path`. Throws `unsupported` for one of a newer release, and leaves it as it is. */
export function openRecords(path: string): Records {
  const { catalog, layers } = readAll(path);
  const writer = createWriter(path);
  return {
    catalog,
    layers,
    prepare: () => writer.prepare(),
    async save(image, names, added) {
      await writer.commit([
        insertImage(image),
        ...names.map((name) => nameImage(name, image.id)),
        ...[...added].map(insertLayer),
      ]);
      return catalog.put(image, names);
    },
    async remove(id) {
      await writer.commit([{ sql: 'DELETE FROM images WHERE id = ?', values: [id] }]);
      catalog.remove(id);
    },
    async forgetLayers(diffIds) {
      if (diffIds.length === 0) return;
      await writer.commit(diffIds.map((diffId) => ({ sql: 'DELETE FROM layers WHERE diff_id = ?', values: [diffId] })));
    },
    close: () => writer.close(),
  };
}

function insertImage(image: Image): Statement {
  return {
    sql: `INSERT INTO images (id, size_bytes, config, annotations, pulled_at_ns) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (id) DO NOTHING`,
    values: [image.id, image.sizeBytes, image.rawConfig, JSON.stringify(image.annotations), image.pulledAtNs],
  };
}

/** A name moves from the image that had it; listed once, it stays so. */
function nameImage({ name, listed }: Name, id: string): Statement {
  return {
    sql: `INSERT INTO names (name, image, listed) VALUES (?, ?, ?)
          ON CONFLICT (name) DO UPDATE SET
            listed = max(listed AND image = excluded.image, excluded.listed), image = excluded.image`,
    values: [name, id, listed ? 1n : 0n],
  };
}

function insertLayer([diffId, usage]: [string, LayerUsage]): Statement {
  return {
    sql: 'INSERT OR REPLACE INTO layers (diff_id, used_bytes, inodes) VALUES (?, ?, ?)',
    values: [diffId, usage.usedBytes, usage.inodes],
  };
}

type ImageRow = { id: string; size_bytes: bigint; config: string; annotations: string; pulled_at_ns: bigint };
type NameRow = { name: string; image: string; listed: bigint };
type LayerRow = { diff_id: string; used_bytes: bigint; inodes: bigint };

/** Read once, by the opening thread: the file is small, and nothing is served before it is read. */
function readAll(path: string): { catalog: Catalog; layers: Map<string, LayerUsage> } {
  const database = openDatabase(path, migrations, 'FULL');
  try {
    const all = <Row>(sql: string): Row[] => {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      return statement.all() as Row[];
    };
    const names = Map.groupBy(all<NameRow>('SELECT * FROM names'), (row) => row.image);
    const catalog = createCatalog();
    for (const row of all<ImageRow>('SELECT * FROM images ORDER BY pulled_at_ns')) {
      catalog.put(
        imageOf(row),
        (names.get(row.id) ?? []).map(({ name, listed }) => ({ name, listed: listed === 1n })),
      );
    }
    const layers = all<LayerRow>('SELECT * FROM layers').map(
      (row) => [row.diff_id, { usedBytes: row.used_bytes, inodes: row.inodes }] as const,
    );
    return { catalog, layers: new Map(layers) };
  } finally {
    database.close();
  }
}

function imageOf(row: ImageRow): Image {
  const { config, diffIds } = parseConfig(row.config);
  return {
    id: row.id,
    tags: [],
    digests: [],
    sizeBytes: row.size_bytes,
    layers: diffIds,
    config,
    rawConfig: row.config,
    annotations: JSON.parse(row.annotations) as Record<string, string>,
    pinned: false,
    pulledAtNs: row.pulled_at_ns,
  };
}
