// Owns: a phone call as the API and the room see it, and the record that it leaves. May import: core only.
import type { CallDiversion } from './call-diversion.ts';
import type { ParkedInfo } from './call-parking.ts';
import type { CallTransferInfo, CallTransferTarget } from './call-transfer.ts';
import type { ErrorCode } from './errors.ts';
import { type ParticipantId, type RoomId, randomText } from './ids.ts';
import type { LegDirection, LegStats, PromptLanguage } from './leg-media.ts';
import type { MenuStep } from './menu-walk.ts';
import type { RecordedCall, RecordOption } from './recorded-call.ts';
import type { MediaServerKind } from './trunk.ts';
import type { VideoLegCodec, VideoLegStats } from './video-leg-media.ts';
import type { EncoderRequest } from './view-messages.ts';

/** `asking`: answered, and in a menu or asked for a PIN before it is let in. `parked`: out of its room, until it is fetched. */
export type CallState = 'dialing' | 'ringing' | 'asking' | 'waiting' | 'connected' | 'parked' | 'ended';

/** How a call ended, or why it never began. */
export interface CallEnd {
  readonly by: 'us' | 'peer' | 'server';
  /** For programs: `hung_up`, `refused`, `kicked`, `room_closed`, `rtp_timeout` … */
  readonly reason: string;
  readonly message: string;
  /** Whose fault, where it was one. */
  readonly code?: ErrorCode | undefined;
  /** The final answer of a call that was refused. */
  readonly sipStatus?: number | undefined;
}

/** The picture of a video phone. */
export interface CallVideoInfo {
  readonly codec: VideoLegCodec;
  readonly packetizationMode: 0 | 1;
  /** As we see it. */
  readonly direction: LegDirection;
  readonly isEncrypted: boolean;
  /** By the call; what the room does to its stream is said there. */
  readonly isMuted: boolean;
  /** Of the room's view. */
  readonly shown: EncoderRequest | undefined;
  readonly stats: VideoLegStats | undefined;
}

export interface CallInfo {
  readonly id: string;
  readonly direction: 'inbound' | 'outbound';
  readonly state: CallState;
  /** Absent for one that has not found a room, or was refused before it had. */
  readonly roomId: RoomId | undefined;
  readonly roomName: string | undefined;
  readonly from: string;
  readonly to: string;
  readonly displayName: string;
  /** Call-ID of SIP, to find it in other logs. */
  readonly sipCallId: string | undefined;
  /** That it came or went through. */
  readonly trunk?: { readonly id: string; readonly name: string } | undefined;
  /** Username of the account whose phone it is. */
  readonly account?: string | undefined;
  /** Whom it was for before it was sent on to us, the oldest first; absent for none. */
  readonly diversions?: readonly CallDiversion[] | undefined;
  readonly participantId: ParticipantId | undefined;
  readonly startedAtMs: number;
  readonly answeredAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  readonly end: CallEnd | undefined;
  readonly isMuted: boolean;
  readonly isHeld: boolean;
  /** How much louder it is heard in the mix, -40..20. */
  readonly gainDb: number;
  /** The other side holds us. */
  readonly isHeldByPeer: boolean;
  readonly isEncrypted: boolean;
  /** What it says and hears. */
  readonly isRecorded?: boolean | undefined;
  /** Of itself, the oldest first. */
  readonly recordingIds?: readonly string[] | undefined;
  /** Why it is not recorded although it was to be. */
  readonly recordingProblem?: string | undefined;
  /** That the phone speaks: one of ours, or whatever FreeSWITCH speaks with it (`g729`). */
  readonly codec: string | undefined;
  /** Whose its media is; absent before it has any. */
  readonly mediaServer?: MediaServerKind | undefined;
  /** Keys that were pressed, the last 64. */
  readonly digits: string;
  readonly stats: LegStats | undefined;
  /** Absent for a voice alone. */
  readonly video?: CallVideoInfo | undefined;
  readonly parked?: ParkedInfo | undefined;
  /** Its way through a menu, without PINs; absent where there was none. */
  readonly menu?: readonly MenuStep[] | undefined;
  /** Id of the call whose choice in a menu made this one. */
  readonly calledFor?: string | undefined;
  /** The last that was tried. */
  readonly transfer?: CallTransferInfo | undefined;
}

export interface DialOptions {
  /** Name or id. */
  readonly room: string;
  /** Id or name of the trunk that it goes through: then `to` may be a plain number. */
  readonly trunk?: string | undefined;
  /** sip:, sips: or tel: URI; or the username of an account, whose phones ring then. */
  readonly to: string;
  /** User part or URI that the called party sees. */
  readonly from?: string | undefined;
  readonly displayName?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  readonly proxy?: string | undefined;
  readonly ringTimeoutMs?: number | undefined;
  /** Sent once it is answered. */
  readonly digits?: string | undefined;
  /** Video is offered as well. */
  readonly video?: boolean | undefined;
  /** What is said before the answer (a ringing tone, a menu of the carrier) is heard in the room. */
  readonly hasEarlyMedia?: boolean | undefined;
  /** Of announcements to the phone; the room's if absent. */
  readonly language?: PromptLanguage | undefined;
  /** As in `CallInfo`. */
  readonly calledFor?: string | undefined;
  /** Whether and how it is recorded, whatever its trunk says. */
  readonly record?: RecordOption | undefined;
}

/** Of all calls. */
export type CallEvents = {
  started: [info: CallInfo];
  /** Its state, mute or hold; not its figures. */
  updated: [info: CallInfo];
  ended: [info: CallInfo];
};

/** One message of a call, without credentials. */
export interface CallMessage {
  readonly atMs: number;
  readonly direction: 'in' | 'out';
  readonly protocol: string;
  readonly local: string;
  readonly remote: string;
  /** `INVITE`, `200 OK (INVITE)` */
  readonly title: string;
  readonly text: string;
}

export interface Call {
  readonly info: CallInfo;
  /** Settles when it is connected or has ended. */
  settled(timeoutMs: number): Promise<void>;
  setMuted(isMuted: boolean): void;
  /** @throws GatewayError `closed`, `unprocessable` (it has no video) */
  setVideoMuted(isMuted: boolean): void;
  /** By re-INVITE. @throws GatewayError `closed`, `unprocessable`, `overloaded`, `upstream_refused` */
  setVideo(hasVideo: boolean): Promise<void>;
  /** @throws GatewayError `closed` */
  setGain(gainDb: number): void;
  /** @throws GatewayError `upstream_refused`, `closed` */
  setHeld(isHeld: boolean): Promise<void>;
  /** @throws GatewayError `invalid_request`, `upstream_refused`, `closed` */
  sendDtmf(digits: string): Promise<void>;
  /** What a recording of it needs. @throws GatewayError `closed` where it is not answered, or over */
  forRecording(): RecordedCall;
  hangUp(): Promise<void>;
}

export interface CallsPort {
  /** @throws GatewayError `not_found` (room), `invalid_request`, `signalling_lost`, `overloaded`, `room_full`, `draining` */
  dial(options: DialOptions): Promise<Call>;
  /** Those that are on and the last that were, oldest first. */
  callsOf(room: RoomId): readonly Call[];
  /** Those that are on. */
  readonly live: Iterable<Call>;
  /**
   * Has the phone of a call ask somebody else in its stead; `info.transfer` tells how that goes.
   * @returns when that is known, or after `waitMs`
   * @throws GatewayError `not_found` (`with`), `invalid_request` (`to`), `unprocessable`, `conflict` (one is under way), `closed`
   */
  transfer(call: Call, target: CallTransferTarget, waitMs: number): Promise<void>;
  /** To another room, or back out of its slot; the phone notices nothing. @throws GatewayError `not_found`, `closed`, `room_full` … */
  move(call: Call, room: string): Promise<void>;
  /** Out of its room, to wait with music. @throws GatewayError `limit_reached`, `conflict`, `closed` */
  park(call: Call): Promise<void>;
  /** What went to and fro; undefined where that is not kept (any more). */
  messagesOf(call: CallInfo): { readonly droppedCount: number; readonly messages: readonly CallMessage[] } | undefined;
  /** What to dial for a room, `sip:demo@host`; empty while phones cannot call. */
  addressesOf(room: { readonly name: string }, host: string): readonly string[];
}

const newestFirst = (atMs: number): string => (36 ** 9 - 1 - atMs).toString(36).padStart(9, '0');

/** In order of id, the newest call comes first. */
export const newCallId = (atMs = Date.now()): string => `CL_${newestFirst(atMs)}${randomText(8)}`;

/** Ids after this one are of calls that began before. */
export const callIdAt = (atMs: number): string => `CL_${newestFirst(atMs)}`;
