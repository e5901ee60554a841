// Owns: the login of players that know no tokens: a name and a password, for one room and role. Types only. May import: core.
import type { JoinGrant } from './grants.ts';

export interface PlayLogin {
  readonly username: string;
  readonly password: string;
}

export interface PlayLoginPort {
  /** As good, and for as long, as a join token with this grant. */
  loginOf(grant: Omit<JoinGrant, 'mayCreateRoom'>): PlayLogin;
  /** Undefined for a name that was not made here, or has expired. */
  passwordOf(username: string): string | undefined;
  /** Of a name whose password has been proved. */
  grantOf(username: string): JoinGrant | undefined;
}
