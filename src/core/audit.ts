// Owns: who did what, by which door. Pure. May import: core only.

export interface AuditEntry {
  readonly atMs: number;
  /** `key:ID`, `session:ID`, `participant:USER` or `anonymous`. */
  readonly actor: string;
  /** Name of the key or user. */
  readonly name: string;
  /** Operation of the API: `deleteRoom`. */
  readonly action: string;
  /** Path of the request: which room, key … */
  readonly target: string;
  /** HTTP status: whether it was done. */
  readonly status: number;
  readonly address: string;
  readonly requestId: string;
}

export interface AuditQuery {
  readonly after: number;
  readonly limit: number;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** That of the log unless said; `after` is then above what is read. */
  readonly order?: 'oldest' | 'newest' | undefined;
}

export interface AuditStorePort {
  /** @returns once it is in the store; those of one moment are written together */
  append(entry: AuditEntry): Promise<void>;
  read(query: AuditQuery): readonly (AuditEntry & { readonly id: number })[];
  /** A part of them, the oldest first. @returns how many; none when there is nothing left to do */
  prune(olderThanMs: number, keep: number): number;
}
