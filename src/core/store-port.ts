// Owns: what the domain asks of the place where it keeps documents. Types only.

export interface StoredDocument<T = unknown> {
  readonly id: string;
  readonly value: T;
  /** Grows with each write of this document; 1 for the first. */
  readonly revision: number;
  readonly updatedAtMs: number;
}

/**
 * Documents in named collections, by id. The same shape over SQLite and over JetStream KV, so it offers no more than
 * both can: single-document writes guarded by revision.
 */
export interface StorePort {
  get<T>(collection: string, id: string): Promise<StoredDocument<T> | undefined>;
  /**
   * @param expectedRevision 0: must not exist; n: must be at n; absent: whatever there is
   * @throws GatewayError `conflict` when the revision is another
   */
  put<T>(collection: string, id: string, value: T, expectedRevision?: number): Promise<StoredDocument<T>>;
  /** All of them or none, over whatever there is: what one write to the disk costs is paid once. */
  putAll(collection: string, documents: readonly { readonly id: string; readonly value: unknown }[]): Promise<void>;
  /** @returns whether there was one */
  delete(collection: string, id: string): Promise<boolean>;
  /** In order of id, those after `after`, `limit` at the most. */
  list<T>(collection: string, page?: { after?: string; limit?: number }): Promise<readonly StoredDocument<T>[]>;
  count(collection: string): Promise<number>;
  close(): Promise<void>;
}
