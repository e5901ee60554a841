// Owns: what keeps secrets that have to be read again (webhook secrets, passwords of SIP accounts). Pure.

/** Encrypts for the store. What can be verified by a hash is hashed instead. */
export interface SecretBox {
  /** @returns text for a document; another one at each call */
  seal(plain: string): string;
  /** @throws GatewayError `internal` when it was sealed with another key or was changed */
  open(sealed: string): string;
}
