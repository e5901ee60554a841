// Owns: what is known of a FreeSWITCH that has the media of calls. Types only. May import: nothing.

export interface FreeSwitchStatus {
  readonly host: string;
  /** Of its event socket. */
  readonly port: number;
  readonly state: 'connecting' | 'up' | 'down';
  readonly sinceMs: number;
  /** Why it is down. */
  readonly lastError: string | undefined;
  /** As it says itself; undefined before the first connection. */
  readonly version: string | undefined;
  /** That calls of ours have there, two for each. */
  readonly channels: number;
}

export type FreeSwitchEvents = {
  up: [status: FreeSwitchStatus];
  down: [status: FreeSwitchStatus];
};
