// Owns: the words between the SIP application and the thread that speaks to FreeSWITCH. Types only. May import: config.
import type { SipConfig } from '#config/schema.ts';
import type { ErrorCode } from '#core/errors.ts';

export type FreeSwitchSettings = NonNullable<SipConfig['freeswitch']>;

/** Where drachtio-srf of the thread connects to. */
export interface SipControl {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

export interface ThreadData {
  readonly control: SipControl;
  readonly settings: FreeSwitchSettings;
}

export type ThreadRequest =
  /** A channel that answers `offer`, or makes one where there is none. */
  | { readonly verb: 'open'; readonly endpoint: string; readonly offer: string | undefined }
  /** What the other side of the channel describes itself as from now on. */
  | { readonly verb: 'modify'; readonly endpoint: string; readonly sdp: string }
  | { readonly verb: 'bridge'; readonly endpoint: string; readonly other: string }
  /** Ends it, or gives it up where it has not come about yet. */
  | { readonly verb: 'release'; readonly endpoint: string };

export type ToThread =
  | { readonly type: 'request'; readonly id: number; readonly request: ThreadRequest }
  /** To be answered at once: a thread that does not is stuck. */
  | { readonly type: 'look' }
  /** Hangs everything up and ends. */
  | { readonly type: 'stop' };

export type FromThread =
  /** @param address of FreeSWITCH, as it is reached from here */
  | { readonly type: 'up'; readonly address: string; readonly version: string }
  /** Answers `look`. */
  | { readonly type: 'well' }
  /** The last that is heard of it. */
  | { readonly type: 'down'; readonly reason: string }
  /** `sdp` is FreeSWITCH's. */
  | { readonly type: 'done'; readonly id: number; readonly sdp: string }
  | { readonly type: 'refused'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  /** FreeSWITCH has hung up. */
  | { readonly type: 'ended'; readonly endpoint: string; readonly reason: string };
