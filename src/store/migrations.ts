// Owns: the shape of the embedded database, one step per released change. May import: nothing of ours.

/**
 * Step n brings a database from version n to n + 1 (`PRAGMA user_version`). Steps that were released never change;
 * a new one is added at the end.
 */
export const migrations: readonly string[] = [
  // One table for all documents: WITHOUT ROWID keeps them in order of (collection, id), which is the order of list().
  `CREATE TABLE documents (
     collection TEXT NOT NULL,
     id         TEXT NOT NULL,
     revision   INTEGER NOT NULL,
     value      TEXT NOT NULL,
     updated_at INTEGER NOT NULL,
     PRIMARY KEY (collection, id)
   ) STRICT, WITHOUT ROWID`,
];
