// Owns: what an account is: a phone that registers here with a name and a password. Types alone. May import: core only.

export interface AccountInput {
  /** User part of its address; compared without case. */
  readonly username: string;
  /** In rooms; the username unless said. */
  readonly displayName?: string | undefined;
  readonly isEnabled?: boolean | undefined;
  /** Phones that may be registered at once. */
  readonly maxContacts?: number | undefined;
  /** Left out of a replacement: stays as it was. */
  readonly password?: string | undefined;
}

export interface AccountRecord {
  readonly id: string;
  readonly username: string;
  readonly displayName: string | undefined;
  readonly isEnabled: boolean;
  readonly maxContacts: number;
  readonly sealedPassword: string;
  readonly createdAtMs: number;
}

/** One phone of an account, as it registered. */
export interface AccountContact {
  readonly uri: string;
  readonly userAgent: string;
  /** Where it came from: `tls/192.0.2.1:5062`. */
  readonly source: string;
  readonly registeredAtMs: number;
  readonly expiresAtMs: number;
}

export type AccountEvents = {
  /** Its first phone is there. */
  online: [account: AccountRecord];
  /** Its last one is gone. */
  offline: [account: AccountRecord];
};
