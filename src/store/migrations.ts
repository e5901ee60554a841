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
  // What happened, who is to be told of it, and who did what. AUTOINCREMENT: a number is never used twice.
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE events (
     seq     INTEGER PRIMARY KEY AUTOINCREMENT,
     type    TEXT NOT NULL,
     at      INTEGER NOT NULL,
     room    TEXT,
     content TEXT NOT NULL
   ) STRICT;
   CREATE INDEX events_of_room ON events (room, seq) WHERE room IS NOT NULL;
   CREATE TABLE deliveries (
     id         INTEGER PRIMARY KEY AUTOINCREMENT,
     webhook    TEXT NOT NULL,
     lane       TEXT NOT NULL,
     seq        INTEGER NOT NULL,
     state      TEXT NOT NULL,
     attempts   INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     updated_at INTEGER NOT NULL,
     status     INTEGER,
     error      TEXT,
     is_replay  INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX deliveries_of_webhook ON deliveries (webhook, id);
   CREATE INDEX deliveries_waiting ON deliveries (webhook, lane, id) WHERE state = 'pending';
   CREATE TABLE audit (
     id      INTEGER PRIMARY KEY AUTOINCREMENT,
     at      INTEGER NOT NULL,
     actor   TEXT NOT NULL,
     action  TEXT NOT NULL,
     content TEXT NOT NULL
   ) STRICT;
   CREATE INDEX audit_of_actor ON audit (actor, id);`,
  // Documents beside their index: within it one of a thousand bytes, such as the record of a call, took a page for itself, and
  // one that comes before all others, as the newest call does, had its neighbours moved: three times the work.
  `CREATE TABLE documents_beside_index (
     collection TEXT NOT NULL,
     id         TEXT NOT NULL,
     revision   INTEGER NOT NULL,
     value      TEXT NOT NULL,
     updated_at INTEGER NOT NULL,
     PRIMARY KEY (collection, id)
   ) STRICT;
   INSERT INTO documents_beside_index SELECT collection, id, revision, value, updated_at FROM documents;
   DROP TABLE documents;
   ALTER TABLE documents_beside_index RENAME TO documents`,
];
