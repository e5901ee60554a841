// Owns: what a call is made with. Types only. May import: core.
import type { SipConfig } from '#config/schema.ts';
import type { CallDiversion } from '#core/call-diversion.ts';
import type { ParticipantId } from '#core/ids.ts';
import type { PromptLanguage } from '#core/leg-media.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger, PhonePort } from '#core/ports.ts';
import type { CallRecordingWish } from '#core/recorded-call.ts';
import type { Room } from '#core/room.ts';
import type { MediaServerKind } from '#core/trunk.ts';
import type { CallPictures } from './call-video.ts';
import type { FreeSwitch } from './freeswitch/free-switch.ts';
import type { CallMenu } from './menu-run.ts';
import type { OfferAnswerOptions } from './offer-answer.ts';

interface CallSettings {
  /** Whose the phone's media is. */
  readonly server: MediaServerKind;
  readonly srtp: OfferAnswerOptions['srtp'];
  readonly codecs: NonNullable<OfferAnswerOptions['codecs']>;
  readonly maxDurationMs: number;
  readonly maxMenuMs: number;
  readonly keys: SipConfig['keys'];
  readonly video: SipConfig['video'];
}

export interface SipCallOptions {
  readonly direction: 'inbound' | 'outbound';
  readonly room: Room;
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  /** Where one is configured. */
  readonly freeSwitch: Pick<FreeSwitch, 'open' | 'address' | 'codecs'> | undefined;
  /** Absent: voices alone. */
  readonly pictures?: CallPictures | undefined;
  readonly settings: CallSettings;
  readonly from: string;
  readonly to: string;
  /** That it came or went through. */
  readonly trunk?: { readonly id: string; readonly name: string } | undefined;
  /** Whose phone it is. */
  readonly account?: { readonly username: string } | undefined;
  /** Of the participant that it becomes. */
  readonly displayName: string;
  readonly user: string;
  readonly sipCallId?: string | undefined;
  /** Whom it was for before it was sent on to us. */
  readonly diversions?: readonly CallDiversion[] | undefined;
  /** Of the one who called us. */
  readonly sourceAddress?: string | undefined;
  /** Chosen from before anything else; `room` is only where its leg waits then, and the rest is the chosen room's. */
  readonly menu?: CallMenu | undefined;
  /** Asked of the caller before it enters the room. */
  readonly gate?: { readonly pin: string; readonly guess: (typed: string) => boolean } | undefined;
  /**
   * Whether it may come in: resolves once it may, rejects when it may not. Absent for phones that the room calls.
   * @param wait.tell is called when it has to wait
   */
  readonly lobby?: ((wait: { signal: AbortSignal; tell: () => void }) => Promise<void>) | undefined;
  /** It is known already that it will have to. */
  readonly mustWait?: boolean | undefined;
  readonly language?: PromptLanguage | undefined;
  /** Whether the phone is told anything but what a PIN menu needs. */
  readonly hasPrompts?: boolean | undefined;
  /** Attributes of the participant besides the call's own. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Whom it replaces (RFC 3891): it has a place in the room even where that is full. */
  readonly takesPlaceOf?: ParticipantId | undefined;
  /** A call of ours offers video as well. */
  readonly hasVideo?: boolean | undefined;
  /** It is recorded from when it is answered and in its room. */
  readonly record?: CallRecordingWish | undefined;
  /** What comes before the answer (183) is heard in the room. */
  readonly hasEarlyMedia?: boolean | undefined;
  /** Id of the call whose choice in a menu made this one. */
  readonly calledFor?: string | undefined;
  readonly log: Logger;
}

/** Where a call may go, and past what. */
export interface Admittance
  extends Pick<SipCallOptions, 'room' | 'gate' | 'lobby' | 'mustWait' | 'language' | 'hasPrompts'> {
  /** false: it talks at once, and is told only what happens then. */
  readonly isGreeted?: boolean | undefined;
}
