/** Steps of the schema of images.db; step n leads from version n to n + 1. */
export const migrations: readonly string[] = [
  `CREATE TABLE images (
     id TEXT PRIMARY KEY,
     size_bytes INTEGER NOT NULL,
     config TEXT NOT NULL,
     annotations TEXT NOT NULL,
     pulled_at_ns INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE names (
     name TEXT PRIMARY KEY,
     image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
     listed INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX names_by_image ON names (image);
   CREATE TABLE layers (
     diff_id TEXT PRIMARY KEY,
     used_bytes INTEGER NOT NULL,
     inodes INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
];
